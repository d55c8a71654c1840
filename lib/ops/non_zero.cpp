#include <algorithm>

#include "lib/ops/movement.h"
#include "lib/ops/select_ops.h"

namespace onecard {

namespace {

// Positions, in x's order, of what is not zero; of strings: of those that are not empty.
std::vector<int64_t> set_positions(const Tensor& x) {
  std::vector<int64_t> positions;
  const auto add_where = [&](auto&& is_set) {
    for (int64_t i = 0; i < x.elements(); ++i)
      if (is_set(i)) positions.push_back(i);
  };
  if (x.dtype() == DType::string) add_where([&](int64_t i) { return !x.text()[static_cast<size_t>(i)].empty(); });
  else if (x.dtype() == DType::c64) add_where([&](int64_t i) { return x.data<std::complex<float>>()[static_cast<size_t>(i)] != 0.0f; });
  else if (x.dtype() == DType::c128) add_where([&](int64_t i) { return x.data<std::complex<double>>()[static_cast<size_t>(i)] != 0.0; });
  else if (x.dtype() == DType::i64 || x.dtype() == DType::u64) add_where([&](int64_t i) { return x.int_at(i) != 0; });
  else add_where([&](int64_t i) { return x.at(i) != 0; });
  return positions;
}

}  // namespace

std::vector<TensorType> NonZero::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  require(!x.quant, ErrorKind::model, "looks for zeros in quantized values (", x.text(), ")");
  return {TensorType(DType::i64, Shape{x.shape.has_rank() ? Dim(x.shape.rank()) : Dim::unknown(), Dim::unknown()})};
}

void NonZero::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  const auto positions = set_positions(x);
  const auto count = static_cast<int64_t>(positions.size());
  Tensor& y = allocated(out[0], DType::i64, {x.rank(), count});
  const auto strides = row_major_strides(x.dims());
  const auto rows = y.data<int64_t>();
  for (size_t a = 0; a < strides.size(); ++a)
    for (size_t i = 0; i < positions.size(); ++i) rows[a * positions.size() + i] = positions[i] / strides[a] % x.dims()[a];
}

std::optional<OnnxForm> NonZero::to_onnx(const Node&) const { return OnnxForm{"NonZero", {}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "NonZero", 9}};
}
const std::span<const OnnxName> NonZero::kOnnx{kNames};

std::vector<Value*> NonZero::from_onnx(const OnnxNode& node) { return {node.add_op(NonZero{}, {node.needed(0)})}; }

DEFINE_OP(NonZero)

}  // namespace onecard
