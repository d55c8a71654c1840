#include "lib/ops/det.h"

#include <cmath>

#include "lib/ops/movement.h"
#include "lib/ops/operands.h"

namespace onecard {

namespace {

// By elimination with the largest pivot of each column; `m` is used up.
double determinant(std::vector<double>& m, size_t n) {
  double product = 1;
  for (size_t c = 0; c < n; ++c) {
    size_t pivot = c;
    for (size_t r = c + 1; r < n; ++r)
      if (std::fabs(m[r * n + c]) > std::fabs(m[pivot * n + c])) pivot = r;
    if (m[pivot * n + c] == 0) return 0;
    if (pivot != c) {
      for (size_t k = c; k < n; ++k) std::swap(m[pivot * n + k], m[c * n + k]);
      product = -product;
    }
    product *= m[c * n + c];
    for (size_t r = c + 1; r < n; ++r) {
      const double factor = m[r * n + c] / m[c * n + c];
      for (size_t k = c; k < n; ++k) m[r * n + k] -= factor * m[c * n + k];
    }
  }
  return product;
}

}  // namespace

std::vector<TensorType> Det::infer(const InferContext& in) const {
  const TensorType& x = float_tensor(in, 0);
  if (!x.shape.has_rank()) return {x};
  const int64_t rank = x.shape.rank();
  require(rank >= 2, ErrorKind::model, "expects matrices, got ", x.shape);
  agreed(x.shape[rank - 1], x.shape[rank - 2]);
  return {TensorType(x.dtype, Shape(std::vector<Dim>(x.shape.dims().begin(), x.shape.dims().end() - 2)))};
}

void Det::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  require(x.rank() >= 2 && x.dims().back() == x.dims()[x.dims().size() - 2], ErrorKind::model, "expects square matrices, got ", x.type().shape);
  const int64_t n = x.dims().back();
  Tensor& y = allocated(out[0], x.dtype(), Dims(x.dims().begin(), x.dims().end() - 2));
  if (y.elements() == 0) return;
  std::vector<double> matrix(static_cast<size_t>(n * n));
  for (int64_t i = 0; i < y.elements(); ++i) {
    for (int64_t k = 0; k < n * n; ++k) matrix[static_cast<size_t>(k)] = x.at(i * n * n + k);
    y.set(i, determinant(matrix, static_cast<size_t>(n)));
  }
}

std::optional<OnnxForm> Det::to_onnx(const Node&) const { return OnnxForm{"Det", {}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "Det", 11}};
}
const std::span<const OnnxName> Det::kOnnx{kNames};

std::vector<Value*> Det::from_onnx(const OnnxNode& node) { return {node.add_op(Det{}, {node.needed(0)})}; }

DEFINE_OP(Det)

}  // namespace onecard
