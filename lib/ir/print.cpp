#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

#include "lib/ir/text.h"

namespace onecard {

namespace {

constexpr int64_t kMaxPrintedElements = 1 << 20;

// How the graph being printed to a stream shows constants; nested graphs print as their owner does.
struct Style {
  ConstantText constants = ConstantText::shape_only;
  const ConstantNumber* number = nullptr;
  int indent = 0;
};
int style_slot() {
  static const int slot = std::ios_base::xalloc();
  return slot;
}

bool is_bare(std::string_view name) {
  if (name.empty()) return false;
  for (const char c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '.' && c != '/' && c != '-' && c != ':') return false;
  return name.find("::") == std::string_view::npos && name.back() != ':';
}
void print_name(std::ostream& o, std::string_view name) {
  o << '%';
  if (is_bare(name) && name.find(':') == std::string_view::npos) o << name;
  else print_value(o, std::string(name));
}

void print_elements(std::ostream& o, const Tensor& t) {
  require(t.elements() <= kMaxPrintedElements, ErrorKind::internal, "a constant of ", t.elements(), " elements is too long for text");
  o << "[";
  for (int64_t i = 0; i < t.elements(); ++i) {
    if (i) o << ",";
    if (t.dtype() == DType::string) print_value(o, t.text()[static_cast<size_t>(i)]);
    else if (t.dtype() == DType::u64) o << static_cast<uint64_t>(t.int_at(i));
    else if (!is_float(t.dtype())) o << t.int_at(i);
    else if (t.dtype() == DType::f64) {
      char b[40];
      o.write(b, std::to_chars(b, b + sizeof b, t.at(i)).ptr - b);
    } else print_value(o, static_cast<float>(t.at(i)));
  }
  o << "]";
}

// Scales and zero points of blocks are many: they are numbered constants of their own, scales as f16 where that loses nothing.
void print_blocks(std::ostream& o, const Quantization& q, const Style& style) {
  const auto count = static_cast<int64_t>(q.scale.size());
  const bool halves = std::all_of(q.scale.begin(), q.scale.end(), [](float s) { return static_cast<float>(Half(s)) == s; });
  Tensor scales(halves ? DType::f16 : DType::f32, Dims{count});
  for (int64_t i = 0; i < count; ++i) scales.set(i, static_cast<double>(q.scale[static_cast<size_t>(i)]));
  o << "{axis=" << q.axis << ", block=" << q.block << ", scale=" << info(scales.dtype()).name << "#"
    << (*style.number)(std::make_shared<const Tensor>(std::move(scales))) << ", zero=";
  if (q.zero_point.size() == 1) {
    o << "[" << q.zero_point[0] << "]}";
    return;
  }
  const auto [low, high] = std::minmax_element(q.zero_point.begin(), q.zero_point.end());
  Tensor zeros(*low < -128 || *high > 255 || (*low < 0 && *high > 127) ? DType::i32 : *low < 0 ? DType::i8 : *high > 15 ? DType::u8 : DType::u4, Dims{count});
  for (int64_t i = 0; i < count; ++i) zeros.set_int(i, q.zero_at(static_cast<size_t>(i)));
  o << info(zeros.dtype()).name << "#" << (*style.number)(std::make_shared<const Tensor>(std::move(zeros))) << "}";
}

void print_constant(std::ostream& o, const Value& v, const Style& style) {
  print_name(o, v.name);
  if (style.constants == ConstantText::reference && v.type.quant && v.type.quant->block > 0) {
    o << ": " << info(v.type.dtype).name << v.type.shape.text();
    print_blocks(o, *v.type.quant, style);
    o << " = constant";
  } else {
    o << ": " << v.type.text() << " = constant";
  }
  if (style.constants == ConstantText::reference) o << " #" << (*style.number)(v.constant);
  if (style.constants == ConstantText::elements) {
    o << " ";
    print_elements(o, *materialize(v.constant));
  }
}

void print_origin(std::ostream& o, const Value& v) {
  if (v.origin.empty() || (v.origin.size() == 1 && v.origin[0] == v.name)) return;
  o << " @";
  print_value(o, v.origin);
}

void print_node(std::ostream& o, const Node& n) {
  for (size_t i = 0; i < n.outputs.size(); ++i) {
    if (i) o << ", ";
    print_name(o, n.outputs[i]->name);
    o << ": " << n.outputs[i]->type.text();
    print_origin(o, *n.outputs[i]);
  }
  o << " = " << n.op->name() << "(";
  for (size_t i = 0; i < n.inputs.size(); ++i) {
    if (i) o << ", ";
    if (n.inputs[i]) print_name(o, n.inputs[i]->name);
    else o << "_";
  }
  o << ")";
  n.op->print_fields(o);
  if (!n.name.empty() && !(n.outputs.size() && n.outputs[0]->name == n.name)) {
    o << " ! ";
    print_value(o, n.name);
  }
}

}  // namespace

void print_value(std::ostream& o, int64_t v) { o << v; }
void print_value(std::ostream& o, float v) {
  if (std::isnan(v)) { o << "nan"; return; }
  char buffer[32];
  o.write(buffer, std::to_chars(buffer, buffer + sizeof buffer, v).ptr - buffer);
}
void print_value(std::ostream& o, DType v) { o << info(v).name; }
void print_value(std::ostream& o, const std::string& v) {
  o << '"';
  for (const char c : v) {
    if (c == '"' || c == '\\') o << '\\' << c;
    else if (static_cast<unsigned char>(c) < 32) {
      constexpr char kHex[] = "0123456789abcdef";
      o << "\\x" << kHex[(c >> 4) & 15] << kHex[c & 15];
    } else o << c;
  }
  o << '"';
}
namespace {
template <class T>
void print_list(std::ostream& o, const std::vector<T>& v) {
  o << "[";
  for (size_t i = 0; i < v.size(); ++i) {
    if (i) o << ",";
    print_value(o, v[i]);
  }
  o << "]";
}
}  // namespace
void print_value(std::ostream& o, const std::vector<int64_t>& v) { print_list(o, v); }
void print_value(std::ostream& o, const std::vector<float>& v) { print_list(o, v); }
void print_value(std::ostream& o, const std::vector<std::string>& v) { print_list(o, v); }
void print_value(std::ostream& o, const GraphPtr& g) {
  const auto* style = static_cast<const Style*>(o.pword(style_slot()));
  const Style plain, &s = style ? *style : plain;
  if (!g) { o << "none"; return; }
  print_graph(o, *g, s.constants, s.number ? *s.number : ConstantNumber(), s.indent + 2);
}
void print_value(std::ostream& o, const QuantizationPtr& q) {
  if (!q) { o << "none"; return; }
  TensorType t(DType::i8, Shape(), q);
  o << t.text().substr(std::string("i8[]").size());
}

void print_graph(std::ostream& o, const Graph& g, ConstantText constants, const ConstantNumber& number, int indent) {
  const std::string pad(static_cast<size_t>(indent), ' ');
  const Style style{constants, &number, indent};
  void* const before = o.pword(style_slot());
  o.pword(style_slot()) = const_cast<Style*>(&style);
  o << "graph";
  if (!g.name.empty()) {
    o << " ";
    print_value(o, g.name);
  }
  o << "(";
  for (size_t i = 0; i < g.inputs.size(); ++i) {
    if (i) o << ", ";
    print_name(o, g.inputs[i]->name);
    o << ": " << g.inputs[i]->type.text();
    print_origin(o, *g.inputs[i]);
  }
  o << ") {\n";
  for (const auto& v : g.values())
    if (v.constant) {
      o << pad << "  ";
      print_constant(o, v, style);
      print_origin(o, v);
      o << "\n";
    }
  for (const auto& n : g.nodes()) {
    o << pad << "  ";
    print_node(o, n);
    o << "\n";
  }
  o << pad << "  return ";
  for (size_t i = 0; i < g.outputs.size(); ++i) {
    if (i) o << ", ";
    print_name(o, g.outputs[i]->name);
  }
  o << "\n" << pad << "}";
  o.pword(style_slot()) = before;
}

std::string to_text(const Graph& g, ConstantText constants, const ConstantNumber& number) {
  std::ostringstream o;
  print_graph(o, g, constants, number, 0);
  o << "\n";
  return o.str();
}

}  // namespace onecard
