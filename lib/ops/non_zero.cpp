#include "lib/ops/non_zero.h"

#include <cstring>

#include "lib/ops/movement.h"
#include "lib/ops/real_values.h"

namespace onecard {

namespace {

// For every element whether it is not zero (not empty, for strings).
std::vector<char> nonzero_mask(const Tensor& x) {
  std::vector<char> mask(static_cast<size_t>(x.elements()));
  for (size_t i = 0; i < mask.size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    if (x.dtype() == DType::string) mask[i] = !x.text()[i].empty();
    else if (info(x.dtype()).kind == DKind::complex) mask[i] = complex_at(x, at) != 0.0;
    else mask[i] = is_float(x.dtype()) ? x.at(at) != 0 : x.int_at(at) != 0;
  }
  return mask;
}

}  // namespace

std::vector<TensorType> NonZero::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  require(!x.quant, ErrorKind::model, "cannot compare ", x, " with zero");
  return {TensorType(DType::i64, Shape{x.shape.has_rank() ? Dim(x.shape.rank()) : Dim::unknown(), Dim::unknown()})};
}

void NonZero::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  const auto mask = nonzero_mask(x);
  int64_t count = 0;
  for (const char m : mask) count += m;
  Tensor& y = allocated(out[0], DType::i64, {x.rank(), count});
  auto to = y.data<int64_t>();
  const auto strides = row_major_strides(x.dims());
  size_t found = 0;
  for (size_t i = 0; i < mask.size(); ++i) {
    if (!mask[i]) continue;
    for (size_t a = 0; a < x.dims().size(); ++a) to[a * static_cast<size_t>(count) + found] = static_cast<int64_t>(i) / strides[a] % x.dims()[a];
    ++found;
  }
}

std::optional<OnnxForm> NonZero::to_onnx(const Node&) const { return OnnxForm{"NonZero", {}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "NonZero", 9}};
}
const std::span<const OnnxName> NonZero::kOnnx{kNames};

std::vector<Value*> NonZero::from_onnx(const OnnxNode& node) { return {node.add_op(NonZero{}, {node.needed(0)})}; }

DEFINE_OP(NonZero)

}  // namespace onecard
