#include <charconv>
#include <cmath>
#include <cstdlib>

#include "lib/ops/movement.h"
#include "lib/ops/shape_ops.h"

namespace onecard {

namespace {

bool is_small_float(DType t) { return is_float(t) && info(t).bits <= 8; }

// The plain shortest text of a number that reads back equal in its type.
std::string number_text(const Tensor& t, int64_t i) {
  const DTypeInfo& type = info(t.dtype());
  if (type.kind == DKind::boolean) return t.int_at(i) ? "True" : "False";
  if (type.kind == DKind::uint) return std::to_string(static_cast<uint64_t>(t.int_at(i)));
  if (type.kind == DKind::sint) return std::to_string(t.int_at(i));
  const double v = t.at(i);
  if (std::isnan(v)) return "NaN";
  if (std::isinf(v)) return v > 0 ? "INF" : "-INF";
  char buffer[64];
  const auto end = t.dtype() == DType::f64 ? std::to_chars(buffer, buffer + sizeof buffer, v).ptr
                                           : std::to_chars(buffer, buffer + sizeof buffer, static_cast<float>(v)).ptr;
  return std::string(buffer, end);
}

// Reads a number as ONNX Cast does: plain or scientific, inf and nan in any case. Raises model on other text.
void read_number(const std::string& text, Tensor& y, int64_t i) {
  int64_t whole = 0;
  const char *begin = text.data(), *end = begin + text.size();
  if (begin != end && *begin == '+') ++begin;
  if (const auto r = std::from_chars(begin, end, whole); r.ec == std::errc{} && r.ptr == end && begin != end && !is_float(y.dtype()))
    return y.set_int(i, whole);
  char* stop = nullptr;
  const double v = std::strtod(text.c_str(), &stop);
  require(!text.empty() && *stop == 0, ErrorKind::model, "cannot cast the text '", text.substr(0, 40), "' to a number");
  y.set(i, v);
}

}  // namespace

std::vector<TensorType> Cast::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  require(!x.quant, ErrorKind::model, "cannot cast a quantized value (", x, ")");
  const auto kind = info(to).kind;
  require(kind != DKind::none && kind != DKind::complex && info(x.dtype).kind != DKind::complex, ErrorKind::model, "cannot cast ", info(x.dtype).name,
          " to ", info(to).name);
  return {TensorType(to, x.shape)};
}

std::optional<std::vector<Dim>> Cast::infer_contents(const InferContext& in) const {
  const bool from_whole = is_integer(in.dtype(0)) || in.dtype(0) == DType::boolean;
  if (!from_whole || !(is_integer(to) || to == DType::boolean)) return std::nullopt;
  auto contents = in.contents(0);
  if (!contents) return std::nullopt;
  const int value_bits = info(to).bits - (info(to).kind == DKind::sint ? 1 : 0);
  for (Dim& d : *contents) {
    if (to == DType::boolean) {
      d = d.is_number() ? Dim(d.number() != 0) : Dim::unknown();
    } else if (info(to).bits < 64) {
      const bool kept = d.is_number() && value_bits < 63 && d.number() >= 0 && (d.number() >> value_bits) == 0;
      const bool negative = d.is_number() && info(to).kind == DKind::sint && d.number() < 0 && d.number() >= -(int64_t{1} << value_bits);
      if (!kept && !negative && !(d.is_symbolic() && value_bits >= 31)) d = Dim::unknown();
    }
  }
  return contents;
}

void Cast::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  Tensor& y = allocated(out[0], to, x.dims());
  if (x.dtype() == to) return copy_all(x, y);
  if (to == DType::string) {
    for (int64_t i = 0; i < x.elements(); ++i) y.text()[static_cast<size_t>(i)] = number_text(x, i);
  } else if (x.dtype() == DType::string) {
    for (int64_t i = 0; i < x.elements(); ++i) read_number(x.text()[static_cast<size_t>(i)], y, i);
  } else if (saturate == Saturate::no && is_small_float(to) && info(to).bits == 8) {
    for (int64_t i = 0; i < x.elements(); ++i) y.raw()[i] = static_cast<std::byte>(float_to_small_float(to, static_cast<float>(x.at(i)), false));
  } else {
    copy_all(convert(x, to), y);
  }
}

std::optional<OnnxForm> Cast::to_onnx(const Node&) const {
  OnnxForm form{"Cast", {{"to", static_cast<int64_t>(to)}}, ""};
  if (saturate == Saturate::no) form.attributes["saturate"] = int64_t{0};
  return form;
}

namespace {
constexpr OnnxName kNames[] = {{"", "Cast", 1}, {"", "CastLike", 15}};
}
const std::span<const OnnxName> Cast::kOnnx{kNames};

namespace {

// Before opset 6 the type is given by its name in onnx.proto, in any case.
DType dtype_of_name(std::string name) {
  constexpr std::pair<std::string_view, DType> kTypes[] = {
      {"FLOAT", DType::f32},  {"DOUBLE", DType::f64}, {"FLOAT16", DType::f16},  {"BOOL", DType::boolean}, {"INT8", DType::i8},
      {"INT16", DType::i16},  {"INT32", DType::i32},  {"INT64", DType::i64},    {"UINT8", DType::u8},     {"UINT16", DType::u16},
      {"UINT32", DType::u32}, {"UINT64", DType::u64}, {"STRING", DType::string}};
  for (char& c : name)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  for (const auto& [text, dtype] : kTypes)
    if (text == name) return dtype;
  fail(ErrorKind::model, "casts to the unknown element type '", name, "'");
}

}  // namespace

std::vector<Value*> Cast::from_onnx(const OnnxNode& node) {
  Cast op;
  if (node.has("to") && node.opset < 6) {
    op.to = dtype_of_name(node.needed_attr<std::string>("to"));
  } else if (node.has("to")) {
    const auto code = node.needed_attr<int64_t>("to");
    require(dtype_is_known(code), ErrorKind::model, "casts to the unknown element type ", code);
    op.to = static_cast<DType>(code);
  } else {
    op.to = node.needed(1)->type.dtype;
  }
  const auto rounding = node.attr<std::string>("round_mode", "up");
  require(op.to != DType::f8e8m0 || rounding == "up", ErrorKind::model, "round_mode '", rounding, "' is not supported");
  if (node.attr<int64_t>("saturate", 1) == 0) op.saturate = Saturate::no;
  return {node.add_op(op, {node.needed(0)})};
}

DEFINE_OP(Cast)

}  // namespace onecard
