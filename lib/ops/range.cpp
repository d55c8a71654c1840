#include "lib/ops/arithmetic.h"
#include "lib/ops/generate_ops.h"
#include "lib/ops/movement.h"

namespace onecard {

namespace {

constexpr int64_t kMostElements = int64_t{1} << 58;

void check_count(bool fits) { require(fits, ErrorKind::does_not_fit, "the range has more elements than any memory"); }

int64_t integer_count(int64_t start, int64_t limit, int64_t delta) {
  require(delta != 0, ErrorKind::model, "a step of 0");
  const __int128 span = delta > 0 ? static_cast<__int128>(limit) - start : static_cast<__int128>(start) - limit;
  const __int128 step = delta > 0 ? static_cast<__int128>(delta) : -static_cast<__int128>(delta);
  if (span <= 0) return 0;
  const __int128 count = (span + step - 1) / step;
  check_count(count < kMostElements);
  return static_cast<int64_t>(count);
}

int64_t float_count(double start, double limit, double delta) {
  require(delta != 0 && delta == delta && start == start && limit == limit, ErrorKind::model, "a range from ", start, " to ", limit, " in steps of ", delta);
  const double count = std::ceil((limit - start) / delta);
  if (!(count > 0)) return 0;
  check_count(count < static_cast<double>(kMostElements));
  return static_cast<int64_t>(count);
}

int64_t count_of(const Tensor& start, const Tensor& limit, const Tensor& delta) {
  for (const Tensor* t : {&start, &limit, &delta}) require(t->elements() == 1, ErrorKind::model, "takes scalars, not ", t->type().text());
  if (is_float(start.dtype())) return float_count(start.at(0), limit.at(0), delta.at(0));
  return integer_count(start.int_at(0), limit.int_at(0), delta.int_at(0));
}

// The count as far as it follows from integers that are known; for symbols the range is taken not to be empty.
Dim known_count(const InferContext& in) {
  const auto start = in.contents(0), limit = in.contents(1), delta = in.contents(2);
  if (!start || !limit || !delta || start->size() != 1 || limit->size() != 1 || delta->size() != 1) return Dim::unknown();
  const auto step = delta->front().maybe();
  if (!step) return Dim::unknown();
  require(*step != 0, ErrorKind::model, "a step of 0");
  if (start->front().is_number() && limit->front().is_number()) return integer_count(start->front().number(), limit->front().number(), *step);
  if (*step == INT64_MIN) return Dim::unknown();
  const Dim span = *step > 0 ? limit->front() - start->front() : start->front() - limit->front();
  return ceil_div(span, *step > 0 ? *step : -*step);
}

}  // namespace

std::vector<TensorType> Range::infer(const InferContext& in) const {
  const TensorType& start = tensor_type(in, 0);
  require(is_numeric(start.dtype) && !start.quant, ErrorKind::model, "a range of ", start.text());
  for (size_t i = 1; i < 3; ++i) require(tensor_type(in, i).dtype == start.dtype, ErrorKind::model, "a range of ", start.text(), " and ", in.type(i).text());
  Dim count = Dim::unknown();
  const ConstTensor first = in.constant(0), limit = in.constant(1), delta = in.constant(2);
  if (first && limit && delta) count = count_of(*first, *limit, *delta);
  else if (is_integer(start.dtype)) count = known_count(in);
  return {TensorType(start.dtype, Shape{count})};
}

std::optional<std::vector<Dim>> Range::infer_contents(const InferContext& in) const {
  if (!is_integer(in.dtype(0))) return std::nullopt;
  const auto count = known_count(in).maybe();
  if (!count || *count > kContentsLimit) return std::nullopt;
  const Dim start = in.contents(0)->front();
  const int64_t step = in.contents(2)->front().number();
  std::vector<Dim> values;
  for (int64_t i = 0; i < *count; ++i) values.push_back(start + Dim(i) * Dim(step));
  return values;
}

void Range::reference(Inputs in, Outputs out) const {
  const int64_t count = count_of(*in[0], *in[1], *in[2]);
  Tensor& y = allocated(out[0], in[0]->dtype(), {count});
  visit_numeric(y.dtype(), [&]<class T>(TypeTag<T>) {
    const T start = in[0]->data<T>()[0], delta = in[2]->data<T>()[0];
    const auto values = y.data<T>();
    for (size_t i = 0; i < values.size(); ++i) {
      if constexpr (std::is_integral_v<T>) values[i] = wrap<T>(static_cast<uint64_t>(start) + i * static_cast<uint64_t>(delta));
      else values[i] = narrow<T>(static_cast<double>(start) + static_cast<double>(i) * static_cast<double>(delta));
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
