#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <random>

#include "lib/ir/parse_quantization.h"

namespace onecard {

namespace {

constexpr int kMaxDepth = 64;
constexpr int64_t kMaxSeededElements = int64_t{1} << 22;  // of constants that text leaves to the seed

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '/' || c == '-' || c == '+'; }

void fill_from_seed(Tensor& t, uint32_t seed) {
  std::mt19937 rng(seed);
  if (t.dtype() == DType::string) return;
  for (int64_t i = 0; i < t.elements(); ++i) {
    const double u = (static_cast<double>(rng()) + 0.5) / 4294967296.0;
    if (is_float(t.dtype())) t.set(i, 0.2 + 0.8 * u);  // positive: valid as variances too
    else if (t.dtype() == DType::boolean) t.set(i, u < 0.5);
    else t.set_int(i, static_cast<int64_t>(u * 8) - (info(t.dtype()).kind == DKind::sint ? 4 : 0));
  }
}

void parse_elements(TextReader& in, Tensor& t) {
  in.expect('[');
  for (int64_t i = 0; i < t.elements(); ++i) {
    if (i) in.expect(',');
    if (t.dtype() == DType::string) t.text()[static_cast<size_t>(i)] = in.quoted();
    else if (t.dtype() == DType::u64) {
      const std::string w = in.word();
      uint64_t v = 0;
      std::from_chars(w.data(), w.data() + w.size(), v);
      t.set_int(i, static_cast<int64_t>(v));
    } else if (is_float(t.dtype())) t.set(i, in.number());
    else t.set_int(i, in.integer());
  }
  in.expect(']');
}

}  // namespace

void TextReader::error(const std::string& what) {
  const auto line = 1 + std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(std::min(at_, text_.size())), '\n');
  fail(ErrorKind::model, "graph text line ", line, ": ", what);
}

char TextReader::peek() {
  while (at_ < text_.size()) {
    if (std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
    else if (text_[at_] == '/' && at_ + 1 < text_.size() && text_[at_ + 1] == '/') {
      while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    } else return text_[at_];
  }
  return 0;
}

bool TextReader::accept(char c) {
  if (peek() != c) return false;
  ++at_;
  return true;
}
void TextReader::expect(char c) {
  if (!accept(c)) error(std::string("expected '") + c + "' before '" + std::string(text_.substr(std::min(at_, text_.size()), 24)) + "'");
}
bool TextReader::accept_word(std::string_view w) {
  peek();
  if (text_.substr(at_, w.size()) != w) return false;
  if (at_ + w.size() < text_.size() && is_word(text_[at_ + w.size()])) return false;
  at_ += w.size();
  return true;
}
std::string TextReader::word() {
  peek();
  const size_t begin = at_;
  while (at_ < text_.size() && is_word(text_[at_])) ++at_;
  if (at_ == begin) error("expected a word before '" + std::string(text_.substr(at_, 24)) + "'");
  return std::string(text_.substr(begin, at_ - begin));
}
std::string TextReader::quoted() {
  expect('"');
  std::string out;
  for (;;) {
    if (at_ >= text_.size()) error("a quote is not closed");
    char c = text_[at_++];
    if (c == '"') return out;
    if (c == '\\') {
      if (at_ >= text_.size()) error("a quote is not closed");
      c = text_[at_++];
      if (c == 'x') {
        unsigned code = 0;
        if (at_ + 2 > text_.size() || std::from_chars(text_.data() + at_, text_.data() + at_ + 2, code, 16).ec != std::errc())
          error("bad \\x escape");
        at_ += 2;
        c = static_cast<char>(code);
      }
    }
    out += c;
  }
}
std::string TextReader::name() {
  expect('%');
  return at_ < text_.size() && text_[at_] == '"' ? quoted() : word();
}
std::string TextReader::until(std::string_view stops) {
  peek();
  const size_t begin = at_;
  int open = 0;
  while (at_ < text_.size() && (open > 0 || stops.find(text_[at_]) == std::string_view::npos)) {
    open += text_[at_] == '(' ? 1 : text_[at_] == ')' ? -1 : 0;
    ++at_;
  }
  return std::string(text_.substr(begin, at_ - begin));
}
double TextReader::number() {
  peek();
  double v = 0;
  std::string_view rest = text_.substr(at_, 64);
  if (rest.starts_with("nan")) {
    at_ += 3;
    return NAN;
  }
  if (rest.starts_with("inf")) {
    at_ += 3;
    return INFINITY;
  }
  if (rest.starts_with("-inf")) {
    at_ += 4;
    return -INFINITY;
  }
  if (rest.starts_with("-nan")) {
    at_ += 4;
    return NAN;
  }
  const auto [end, code] = std::from_chars(rest.data(), rest.data() + rest.size(), v);
  if (code == std::errc::invalid_argument) error("expected a number before '" + std::string(rest.substr(0, 24)) + "'");
  at_ += static_cast<size_t>(end - rest.data());
  return v;
}
int64_t TextReader::integer() {
  peek();
  int64_t v = 0;
  const std::string_view rest = text_.substr(at_, 32);
  const auto [end, code] = std::from_chars(rest.data(), rest.data() + rest.size(), v);
  if (code != std::errc()) error("expected an integer before '" + std::string(rest.substr(0, 24)) + "'");
  at_ += static_cast<size_t>(end - rest.data());
  return v;
}

TensorType TextReader::type() {
  TensorType t;
  if (accept_word("absent")) {
    t.container = Container::none;
    return t;
  }
  if (accept_word("seq")) t.container = Container::sequence;
  else if (accept_word("optseq")) t.container = Container::optional_sequence;
  else if (accept_word("opt")) t.container = Container::optional;
  const std::string dtype = word();
  t.dtype = dtype_from_name(dtype);
  if (t.dtype == DType::undefined && dtype != "undefined") error("unknown element type '" + dtype + "'");
  expect('[');
  if (accept('*')) {
    t.shape = Shape::unranked();
    expect(']');
  } else {
    std::vector<Dim> dims;
    while (!accept(']')) {
      dims.push_back(Dim::parse(until(",]")));
      if (!accept(',')) {
        expect(']');
        break;
      }
    }
    t.shape = Shape(std::move(dims));
  }
  if (peek() == '{') t.quant = parse_quantization(*this, &t);
  return t;
}

void parse_value(TextReader& in, int64_t& v) { v = in.integer(); }
void parse_value(TextReader& in, float& v) { v = static_cast<float>(in.number()); }
void parse_value(TextReader& in, DType& v) {
  const std::string name = in.word();
  v = dtype_from_name(name);
  if (v == DType::undefined && name != "undefined") in.error("unknown element type '" + name + "'");
}
void parse_value(TextReader& in, std::string& v) { v = in.quoted(); }
void parse_value(TextReader& in, std::vector<int64_t>& v) { parse_list(in, v); }
void parse_value(TextReader& in, std::vector<float>& v) { parse_list(in, v); }
void parse_value(TextReader& in, std::vector<std::string>& v) { parse_list(in, v); }
void parse_value(TextReader& in, QuantizationPtr& v) { v = in.accept_word("none") ? nullptr : parse_quantization(in, nullptr); }
void parse_value(TextReader& in, GraphPtr& v) { v = in.accept_word("none") ? nullptr : std::make_shared<const Graph>(in.graph()); }
int64_t parse_enum(TextReader& in, std::span<const std::string_view> names) {
  const std::string w = in.word();
  const auto it = std::find(names.begin(), names.end(), w);
  if (it == names.end()) in.error("'" + w + "' is none of the choices");
  return it - names.begin();
}

namespace {

// The statements of one graph.
class GraphReader {
 public:
  explicit GraphReader(TextReader& in, uint32_t& seed) : in_(in), seed_(seed) {}

  Graph read() {
    if (!in_.accept_word("graph")) in_.error("expected 'graph'");
    if (in_.peek() == '"') graph_.name = in_.quoted();
    read_inputs();
    in_.expect('{');
    while (in_.peek() == '%') read_statement();
    if (!in_.accept_word("return")) in_.error("expected 'return'");
    if (in_.peek() == '%') do
        graph_.outputs.push_back(known());
      while (in_.accept(','));
    in_.expect('}');
    return std::move(graph_);
  }

 private:
  Value* known() {
    const std::string name = in_.name();
    const auto it = named_.find(name);
    if (it == named_.end()) in_.error("unknown value %" + name);
    return it->second;
  }
  void define(const std::string& name, Value* v) {
    if (!named_.emplace(name, v).second) in_.error("%" + name + " is defined twice");
  }
  std::vector<std::string> origin(const std::string& name) {
    std::vector<std::string> found{name};
    if (in_.accept('@')) parse_value(in_, found);
    return found;
  }
  void read_inputs() {
    in_.expect('(');
    while (!in_.accept(')')) {
      const std::string name = in_.name();
      in_.expect(':');
      Value* v = graph_.add_input(name, in_.type());
      define(name, v);
      v->origin = origin(name);
      if (!in_.accept(',')) {
        in_.expect(')');
        break;
      }
    }
  }
  ConstTensor constant(const TensorType& type) {
    if (!type.is_static()) in_.error("a constant needs numbers for extents");
    if (in_.accept('#')) {
      const int64_t number = in_.integer();
      if (!in_.options().constant_at) in_.error("numbered constants are not known here");
      return in_.options().constant_at(number, type);
    }
    const bool given = in_.peek() == '[';
    if (!given && in_.options().constant_at) in_.error("a constant has neither elements nor a number");  // only tests leave them to the seed
    if (!given && element_count(type.shape.numbers()) > kMaxSeededElements) in_.error("a constant without elements is too large");
    if (given && element_count(type.shape.numbers()) > static_cast<int64_t>(in_.remaining())) in_.error("the elements of a constant are missing");
    Tensor t(type);
    if (given) parse_elements(in_, t);
    else fill_from_seed(t, seed_++);
    return std::make_shared<const Tensor>(std::move(t));
  }
  void read_statement() {
    std::vector<std::string> names;
    std::vector<std::optional<TensorType>> types;
    std::vector<std::vector<std::string>> origins;
    do {
      names.push_back(in_.name());
      types.push_back(in_.accept(':') ? std::optional(in_.type()) : std::nullopt);
      origins.push_back(origin(names.back()));
    } while (in_.accept(','));
    in_.expect('=');
    const std::string op_name = in_.word();
    if (op_name == "constant") {
      if (names.size() != 1 || !types[0]) in_.error("a constant has one name and a type");
      Value* v = graph_.add_constant(names[0], constant(*types[0]));
      if (v->name != names[0]) in_.error("%" + names[0] + " is defined twice");
      v->origin = in_.peek() == '@' ? origin(names[0]) : origins[0];
      return define(names[0], v);
    }
    read_node(op_name, names, types, origins);
  }
  void read_node(const std::string& op_name, const std::vector<std::string>& names, const std::vector<std::optional<TensorType>>& types,
                 std::vector<std::vector<std::string>>& origins) {
    std::vector<Value*> in;
    in_.expect('(');
    while (!in_.accept(')')) {
      in.push_back(in_.accept('_') ? nullptr : known());
      if (!in_.accept(',')) {
        in_.expect(')');
        break;
      }
    }
    auto op = in_.options().make_op(op_name);
    if (in_.accept('{'))
      while (!in_.accept('}')) {
        const std::string key = in_.word();
        in_.expect('=');
        op->parse_field(key, in_);
        in_.accept(',');
      }
    const std::string node_name = in_.accept('!') ? in_.quoted() : "";
    Node& node = graph_.add(std::shared_ptr<const Op>(std::move(op)), std::move(in), names[0], names);
    node.name = node_name.empty() ? names[0] : node_name;
    if (node.outputs.size() < names.size()) in_.error(op_name + " has fewer outputs than names");
    for (size_t i = 0; i < names.size(); ++i) {
      if (node.outputs[i]->name != names[i]) in_.error("%" + names[i] + " is defined twice");
      define(names[i], node.outputs[i]);
      node.outputs[i]->origin = std::move(origins[i]);
      if (!types[i]) continue;
      const TensorType& got = node.outputs[i]->type;
      if (got.dtype != types[i]->dtype || got.container != types[i]->container)
        in_.error("%" + names[i] + " is " + got.text() + ", text says " + types[i]->text());
      if (got.is_static() && types[i]->is_static() && !(got == *types[i]))
        in_.error("%" + names[i] + " is " + got.text() + ", text says " + types[i]->text());
    }
  }

  TextReader& in_;
  uint32_t& seed_;
  Graph graph_;
  std::map<std::string, Value*> named_;
};

}  // namespace

Graph TextReader::graph() {
  if (++depth > kMaxDepth) error("graphs are nested too deeply");
  Graph g = GraphReader(*this, seed_).read();
  --depth;
  return g;
}

Graph parse_graph(std::string_view text, const ParseOptions& options) {
  TextReader in(text, options);
  Graph g = in.graph();
  if (in.peek() != 0) in.error("text after the graph");
  return g;
}

}  // namespace onecard
