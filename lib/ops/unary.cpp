#include "lib/ops/unary.h"

#include <cstring>

#include "lib/base/parallel.h"
#include "lib/ops/binary.h"
#include "lib/ops/operands.h"
#include "lib/ops/quantize.h"

namespace onecard {
DEFINE_OP(Unary)
namespace {

bool is_float_test(Fn f) { return f == Fn::isnan || f == Fn::isinf; }
// Functions that ONNX defines on integers too; the last two there mean the result in f32, cut to an integer.
bool takes_integers(Fn f) {
  return f == Fn::relu || f == Fn::abs || f == Fn::neg || f == Fn::sign || f == Fn::square || f == Fn::erf || f == Fn::shrink;
}
// Functions whose result has the scale of its input: they can be done on the stored integers.
bool keeps_scale(Fn f) { return f == Fn::identity || f == Fn::relu || f == Fn::clip; }

template <class T>
T integer_function(const Activation& f, T x) {
  switch (f.fn) {
    case Fn::relu: return x > 0 ? x : T{0};
    case Fn::abs: return x > 0 ? x : wrap<T>(uint64_t{0} - static_cast<uint64_t>(x));
    case Fn::neg: return wrap<T>(uint64_t{0} - static_cast<uint64_t>(x));
    case Fn::sign: return x > 0 ? T{1} : x == 0 ? T{0} : static_cast<T>(-1);
    case Fn::bitwise_not: return wrap<T>(~static_cast<uint64_t>(x));
    case Fn::square: return wrap<T>(static_cast<uint64_t>(x) * static_cast<uint64_t>(x));
    case Fn::erf:
    case Fn::shrink: return narrow<T>(static_cast<double>(static_cast<float>(apply(f, static_cast<double>(x)))));
    default: fail(ErrorKind::internal, "no integer form of ", kFnNames[static_cast<size_t>(f.fn)]);
  }
}

void copy_value(const Tensor& x, Tensor& y) {
  if (x.type().container != Container::tensor || !x.has_value()) {
    y = x.clone();
  } else if (x.dtype() == DType::string) {
    y = x.clone();
  } else {
    if (!y.has_value() || y.bytes() != x.bytes()) y = Tensor(x.type());
    if (x.bytes() > 0) std::memcpy(y.raw(), x.raw(), static_cast<size_t>(x.bytes()));
  }
}

void float_tests(const Activation& f, const Tensor& x, std::span<bool> y) {
  for (size_t i = 0; i < y.size(); ++i) {
    const double v = x.at(static_cast<int64_t>(i));
    y[i] = f.fn == Fn::isnan ? std::isnan(v) : std::isinf(v) && (v < 0 ? f.alpha != 0 : f.beta != 0);
  }
}

// Clamps stored integers to the codes of the bounds.
void on_codes(const Activation& f, const Tensor& x, Tensor& y) {
  const Quantization& q = *x.type().quant;
  const auto code = [&](double real) { return std::nearbyint(real / static_cast<double>(q.scale[0])) + q.zero_point[0]; };
  const double low = f.fn == Fn::relu ? q.zero_point[0] : code(f.alpha), high = f.fn == Fn::relu ? INFINITY : code(f.beta);
  visit_numeric(x.dtype(), [&]<class T>(TypeTag<T>) {
    const auto from = x.data<T>();
    const auto to = y.data<T>();
    for (size_t i = 0; i < from.size(); ++i) to[i] = narrow<T>(std::min(std::max(static_cast<double>(from[i]), low), high));
  });
}

}  // namespace

std::vector<TensorType> Unary::infer(const InferContext& in) const {
  const TensorType& x = in.type(0);
  if (f.fn == Fn::identity) return {x};
  require(x.container == Container::tensor, ErrorKind::model, "expects a tensor, got ", x);
  if (x.quant) {
    require(keeps_scale(f.fn) && x.quant->axis < 0 && x.quant->block == 0 && info(x.dtype).bits >= 8, ErrorKind::model,
            kFnNames[static_cast<size_t>(f.fn)], " is not defined on ", x);
    return {x};
  }
  const bool fits = f.fn == Fn::logical_not   ? x.dtype == DType::boolean
                    : f.fn == Fn::bitwise_not ? is_byte_integer(x.dtype)
                    : is_float_test(f.fn)     ? is_float(x.dtype)
                                              : is_arithmetic_float(x.dtype) || (takes_integers(f.fn) && is_byte_integer(x.dtype));
  require(fits, ErrorKind::model, kFnNames[static_cast<size_t>(f.fn)], " is not defined on ", info(x.dtype).name);
  return {TensorType(is_float_test(f.fn) ? DType::boolean : x.dtype, x.shape)};
}

std::optional<std::vector<Dim>> Unary::infer_contents(const InferContext& in) const {
  if (in.type(0).container != Container::tensor || is_float(in.dtype(0)) || in.dtype(0) == DType::string) return std::nullopt;
  auto dims = in.contents(0);
  if (!dims || f.fn == Fn::identity) return dims;
  for (Dim& d : *dims) {
    if (f.fn == Fn::neg) d = Dim(0) - d;
    else if (!d.is_number()) d = Dim::unknown();
    else if (f.fn == Fn::logical_not) d = Dim(d.number() == 0);
    else if (takes_integers(f.fn)) d = Dim(integer_function<int64_t>(f, d.number()));
    else return std::nullopt;
  }
  return dims;
}

void Unary::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  Tensor& y = out[0];
  if (f.fn == Fn::identity) return copy_value(x, y);
  if (!y.has_value() || y.dims() != x.dims())
    y = Tensor(TensorType(is_float_test(f.fn) ? DType::boolean : x.dtype(), Shape::of(x.dims()), x.type().quant));
  if (x.type().quant) return on_codes(f, x, y);
  if (is_float_test(f.fn)) return float_tests(f, x, y.data<bool>());
  if (f.fn == Fn::logical_not) {
    for (size_t i = 0; i < y.data<bool>().size(); ++i) y.data<bool>()[i] = !x.data<bool>()[i];
    return;
  }
  visit_numeric(x.dtype(), [&]<class T>(TypeTag<T>) {
    const auto from = x.data<T>();
    const auto to = y.data<T>();
    parallel_for(x.elements(), 4096, [&](int64_t begin, int64_t end) {
      for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
        if constexpr (std::is_integral_v<T>) to[i] = integer_function(f, from[i]);
        else to[i] = narrow<T>(apply(f, static_cast<double>(from[i])));
      }
    });
  });
}

std::vector<Value*> Unary::decompose(Graph& graph, Node& node) const {
  const NodesBefore before(graph, node);
  Value* x = node.input(0);
  if (x->type.quant && f.fn != Fn::identity) {
    Quantize back;
    back.quant = x->type.quant;
    back.dtype = x->type.dtype;
    return {before.add(back, {before.add(*this, {before.add(Dequantize(), {x})})})};
  }
  if (f.fn == Fn::square) return {before.add(Binary(BinaryFn::mul), {x, x})};
  if (f.fn == Fn::silu) {
    Value* scaled = f.alpha == 1 ? x : before.add(Binary(BinaryFn::mul), {x, before.scalar(x->type.dtype, f.alpha)});
    return {before.add(Binary(BinaryFn::mul), {x, before.add(Unary({Fn::sigmoid}), {scaled})})};
  }
  if (f.fn == Fn::clip) {
    Value* y = x;
    if (!(std::isinf(f.alpha) && f.alpha < 0)) y = before.add(Binary(BinaryFn::max), {y, before.scalar(x->type.dtype, f.alpha)});
    if (!(std::isinf(f.beta) && f.beta > 0)) y = before.add(Binary(BinaryFn::min), {y, before.scalar(x->type.dtype, f.beta)});
    return {y == x ? before.add(Unary(), {x}) : y};
  }
  return {};
}

}  // namespace onecard
