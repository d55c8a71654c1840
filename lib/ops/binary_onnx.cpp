#include <algorithm>

#include "lib/ops/binary.h"
#include "lib/ops/operands.h"
#include "lib/ops/shape_ops.h"

namespace onecard {
namespace {

// An ONNX operator that is one function of two inputs. Those that ONNX applies to any number of inputs become chains.
enum class Arity { two, any, any_mean };
struct BinaryForm {
  std::string_view op_type;
  BinaryFn fn;
  Arity arity = Arity::two;
};
constexpr BinaryForm kForms[] = {
    {"Add", BinaryFn::add},
    {"Sub", BinaryFn::sub},
    {"Mul", BinaryFn::mul},
    {"Div", BinaryFn::div},
    {"Pow", BinaryFn::pow},
    {"Max", BinaryFn::max, Arity::any},
    {"Min", BinaryFn::min, Arity::any},
    {"Sum", BinaryFn::add, Arity::any},
    {"Mean", BinaryFn::add, Arity::any_mean},
    {"Mod", BinaryFn::mod},
    {"PRelu", BinaryFn::prelu},
    {"Equal", BinaryFn::equal},
    {"Less", BinaryFn::less},
    {"LessOrEqual", BinaryFn::less_equal},
    {"Greater", BinaryFn::greater},
    {"GreaterOrEqual", BinaryFn::greater_equal},
    {"And", BinaryFn::logical_and},
    {"Or", BinaryFn::logical_or},
    {"Xor", BinaryFn::logical_xor},
    {"BitwiseAnd", BinaryFn::bitwise_and},
    {"BitwiseOr", BinaryFn::bitwise_or},
    {"BitwiseXor", BinaryFn::bitwise_xor},
    {"BitShift", BinaryFn::shift_left},
};

constexpr auto kNames = [] {
  std::array<OnnxName, std::size(kForms)> names{};
  for (size_t i = 0; i < names.size(); ++i) names[i] = {"", kForms[i].op_type, 1};
  return names;
}();

Value* chain(const OnnxNode& node, const BinaryForm& form) {
  Value* y = node.needed(0);
  for (size_t i = 1; i < node.inputs.size(); ++i) y = node.add_op(Binary(form.fn), {y, node.needed(i)});
  if (form.arity != Arity::any_mean || node.inputs.size() == 1) return y;
  return node.add_op(Binary(BinaryFn::div), {y, node.constant(scalar_tensor(y->type.dtype, static_cast<double>(node.inputs.size())))});
}

// b with `count` extents of 1 behind its own.
Value* widened(const OnnxNode& node, Value* b, int64_t count) {
  if (count <= 0) return b;
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < count; ++i) axes.push_back(b->type.shape.rank() + i);
  return node.add_op(Unsqueeze(), {b, node.constant(Tensor::of<int64_t>({count}, axes))});
}

// Before opset 7 a slope [C] stood for the channels, axis 1 of x. Files converted to later opsets keep such slopes: where one cannot mean the
// last axis, it means the channels too.
Value* slope_of(const OnnxNode& node) {
  Value* slope = node.needed(1);
  const Shape &x = node.needed(0)->type.shape, &s = slope->type.shape;
  if (!x.has_rank() || !s.has_rank() || x.rank() <= 2 || s.rank() != 1 || s[0] == Dim(1)) return slope;
  const Dim& last = x[x.rank() - 1];
  const bool fits_last = !last.is_number() || !s[0].is_number() || last == s[0] || !same_size(s[0], x[1]);
  return node.opset >= 7 && fits_last ? slope : widened(node, slope, x.rank() - 2);
}

// Before opset 7 attribute 'axis' says at which axis of a the extents of b begin; without it they are the last ones, as in later opsets.
Value* aligned(const OnnxNode& node) {
  Value* b = node.needed(1);
  if (node.opset >= 7 || node.attr<int64_t>("broadcast", 0) == 0 || !node.has("axis")) return b;
  const int64_t axis = node.needed_attr<int64_t>("axis");
  const Shape &x = node.needed(0)->type.shape, &s = b->type.shape;
  if (axis < 0 || (s.has_rank() && (s.rank() == 0 || s.elements() == Dim(1)))) return b;
  require(x.has_rank() && s.has_rank(), ErrorKind::model, "broadcasts along axis ", axis, " operands of unknown rank");
  require(axis + s.rank() <= x.rank(), ErrorKind::model, s, " does not fit ", x, " at axis ", axis);
  return widened(node, b, x.rank() - axis - s.rank());
}

}  // namespace

const std::span<const OnnxName> Binary::kOnnx{kNames};

std::vector<Value*> Binary::from_onnx(const OnnxNode& node) {
  const auto form = std::find_if(std::begin(kForms), std::end(kForms), [&](const BinaryForm& f) { return f.op_type == node.op_type; });
  require(form != std::end(kForms), ErrorKind::internal, "no binary form of ", node.op_type);
  if (form->arity != Arity::two) return {chain(node, *form)};
  BinaryFn fn = form->fn;
  if (fn == BinaryFn::mod && node.attr<int64_t>("fmod", 0) != 0) fn = BinaryFn::fmod;
  if (fn == BinaryFn::shift_left) {
    const auto direction = node.needed_attr<std::string>("direction");
    require(direction == "LEFT" || direction == "RIGHT", ErrorKind::model, "direction='", direction, "' is not LEFT or RIGHT");
    if (direction == "RIGHT") fn = BinaryFn::shift_right;
  }
  return {node.add_op(Binary(fn), {node.needed(0), fn == BinaryFn::prelu ? slope_of(node) : aligned(node)})};
}

std::optional<OnnxForm> Binary::to_onnx(const Node&) const {
  switch (fn) {
    case BinaryFn::fmod: return OnnxForm{"Mod", {{"fmod", int64_t{1}}}, {}};
    case BinaryFn::shift_left: return OnnxForm{"BitShift", {{"direction", std::string("LEFT")}}, {}};
    case BinaryFn::shift_right: return OnnxForm{"BitShift", {{"direction", std::string("RIGHT")}}, {}};
    default: break;
  }
  const auto form = std::find_if(std::begin(kForms), std::end(kForms), [&](const BinaryForm& f) { return f.fn == fn; });
  return OnnxForm{std::string(form->op_type), {}, {}};
}

}  // namespace onecard
