#include "lib/ops/window_function.h"

#include <cmath>
#include <numbers>

#include "lib/ops/real_values.h"

namespace onecard {

namespace {

constexpr OnnxName kNames[] = {{"", "HannWindow", 17}, {"", "HammingWindow", 17}, {"", "BlackmanWindow", 17}};
constexpr std::pair<std::string_view, WindowFn> kFns[] = {{"HannWindow", WindowFn::hann}, {"HammingWindow", WindowFn::hamming}, {"BlackmanWindow", WindowFn::blackman}};

// The weight at `t` of the way through the window, 0 to 1.
double weight(WindowFn fn, double t) {
  const double turn = 2 * std::numbers::pi * t;
  if (fn == WindowFn::hann) return 0.5 - 0.5 * std::cos(turn);
  if (fn == WindowFn::hamming) return 25.0 / 46.0 - 21.0 / 46.0 * std::cos(turn);
  return 0.42 - 0.5 * std::cos(turn) + 0.08 * std::cos(2 * turn);
}

}  // namespace

std::vector<TensorType> WindowFunction::infer(const InferContext& in) const {
  require(is_integer(in.dtype(0)), ErrorKind::model, "the size is ", info(in.dtype(0)).name);
  require(is_float(dtype) || is_integer(dtype), ErrorKind::model, "a window of ", info(dtype).name);
  const auto size = in.contents(0);
  require(!size || size->size() == 1, ErrorKind::model, "the size must be one number");
  const Dim n = size ? (*size)[0] : Dim::unknown();
  if (n.is_number()) require(n.number() >= 0, ErrorKind::model, "the size is ", n.number());
  return {TensorType(dtype, Shape{n})};
}

void WindowFunction::reference(Inputs in, Outputs out) const {
  const int64_t size = in[0]->int_at(0), period = periodic == Periodic::yes ? size : size - 1;
  if (!out[0].has_value()) out[0] = Tensor(dtype, {size});
  for (int64_t i = 0; i < size; ++i) {
    double w = period == 0 ? 1.0 : weight(fn, static_cast<double>(i) / static_cast<double>(period));
    if (is_integer(dtype)) w = std::trunc(static_cast<double>(static_cast<float>(w)));  // as ONNX's cast of f32 weights
    store_doubles(out[0], i, {&w, 1});
  }
}

std::optional<OnnxForm> WindowFunction::to_onnx(const Node&) const {
  return OnnxForm{std::string(kFns[static_cast<size_t>(fn)].first), {{"periodic", int64_t{periodic == Periodic::yes}}, {"output_datatype", static_cast<int64_t>(dtype)}}, ""};
}

const std::span<const OnnxName> WindowFunction::kOnnx{kNames};

std::vector<Value*> WindowFunction::from_onnx(const OnnxNode& node) {
  WindowFunction op;
  for (const auto& [name, fn] : kFns)
    if (node.op_type == name) op.fn = fn;
  op.periodic = node.attr<int64_t>("periodic", 1) != 0 ? Periodic::yes : Periodic::no;
  const auto code = node.attr<int64_t>("output_datatype", 1);
  require(dtype_is_known(code), ErrorKind::model, "output_datatype is ", code);
  op.dtype = static_cast<DType>(code);
  return node.add_all(std::move(op), {node.needed(0)});
}

DEFINE_OP(WindowFunction)

}  // namespace onecard
