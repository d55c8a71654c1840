#include "lib/ops/range.h"

#include <cmath>

#include "lib/ops/arithmetic.h"
#include "lib/ops/movement.h"

namespace onecard {

namespace {

// How many numbers there are; raises model when they cannot be counted.
int64_t count_of(const Tensor& start, const Tensor& limit, const Tensor& delta) {
  require(start.elements() == 1 && limit.elements() == 1 && delta.elements() == 1, ErrorKind::model, "start, limit and delta must be scalars");
  if (is_integer(start.dtype())) {
    const __int128 first = start.int_at(0), last = limit.int_at(0), step = delta.int_at(0);
    require(step != 0, ErrorKind::model, "a delta of 0");
    const __int128 count = step > 0 ? (last - first + step - 1) / step : (first - last - step - 1) / -step;
    require(count < INT64_MAX, ErrorKind::model, "counts more numbers than a tensor holds");
    return (step > 0 ? last > first : last < first) ? static_cast<int64_t>(count) : 0;
  }
  // The distance is rounded in the type of the numbers, as engines do; half types are computed as f32.
  const double exact = limit.at(0) - start.at(0);
  const double distance = start.dtype() == DType::f64 ? exact : static_cast<double>(static_cast<float>(exact));
  const double count = std::ceil(distance / delta.at(0));
  require(count < 0x1p59, ErrorKind::model, "counts from ", start.at(0), " to ", limit.at(0), " by ", delta.at(0));  // NaN, too
  return count > 0 ? static_cast<int64_t>(count) : 0;
}

}  // namespace

std::vector<TensorType> Range::infer(const InferContext& in) const {
  const DType dtype = tensor_type(in, 0).dtype;
  require(is_numeric(dtype), ErrorKind::model, "counts in ", info(dtype).name);
  require(dtype == tensor_type(in, 1).dtype && dtype == tensor_type(in, 2).dtype, ErrorKind::model, "start, limit and delta differ in type");
  const auto start = in.constant(0), limit = in.constant(1), delta = in.constant(2);
  if (start && limit && delta) return {TensorType(dtype, Shape{Dim(count_of(*start, *limit, *delta))})};
  const auto first = in.contents(0), last = in.contents(1);
  const auto step = in.ints(2);
  if (!first || !last || !step || first->size() != 1 || last->size() != 1 || step->size() != 1) return {TensorType(dtype, Shape::unknown(1))};
  require(step->front() != 0, ErrorKind::model, "a delta of 0");
  const Dim distance = last->front() - first->front();
  if (distance.is_number()) return {TensorType(dtype, Shape{Dim(count_of(Tensor::scalar<int64_t>(0), Tensor::scalar<int64_t>(distance.number()), Tensor::scalar<int64_t>(step->front())))})};
  return {TensorType(dtype, Shape{step->front() > 0 ? ceil_div(distance, step->front()) : Dim::unknown()})};
}

std::optional<std::vector<Dim>> Range::infer_contents(const InferContext& in) const {
  if (!is_integer(in.dtype(0))) return std::nullopt;
  const auto first = in.contents(0);
  const auto last = in.ints(1), step = in.ints(2);
  if (!first || !last || !step || first->size() != 1 || last->size() != 1 || step->size() != 1 || !first->front().is_number()) return std::nullopt;
  const int64_t start = first->front().number();
  const int64_t count = count_of(Tensor::scalar(start), Tensor::scalar(last->front()), Tensor::scalar(step->front()));
  if (count > kContentsLimit) return std::nullopt;
  std::vector<Dim> numbers;
  for (int64_t i = 0; i < count; ++i) numbers.push_back(Dim(start) + Dim(i) * Dim(step->front()));
  return numbers;
}

void Range::reference(Inputs in, Outputs out) const {
  Tensor& y = allocated(out[0], in[0]->dtype(), {count_of(*in[0], *in[1], *in[2])});
  visit_numeric(y.dtype(), [&]<class T>(TypeTag<T>) {
    auto to = y.data<T>();
    if constexpr (std::is_integral_v<T>) {
      const auto start = static_cast<uint64_t>(in[0]->int_at(0)), delta = static_cast<uint64_t>(in[2]->int_at(0));
      for (size_t i = 0; i < to.size(); ++i) to[i] = wrap<T>(start + i * delta);
    } else {
      const double start = in[0]->at(0), delta = in[2]->at(0);
      for (size_t i = 0; i < to.size(); ++i) to[i] = narrow<T>(start + static_cast<double>(i) * delta);
    }
  });
}

std::optional<OnnxForm> Range::to_onnx(const Node&) const { return OnnxForm{"Range", {}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "Range", 11}};
}
const std::span<const OnnxName> Range::kOnnx{kNames};

std::vector<Value*> Range::from_onnx(const OnnxNode& node) { return {node.add_op(Range{}, {node.needed(0), node.needed(1), node.needed(2)})}; }

DEFINE_OP(Range)

}  // namespace onecard
