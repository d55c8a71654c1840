#include "lib/ops/matrix_inverse.h"

#include <cmath>

#include "lib/ops/movement.h"
#include "lib/ops/operands.h"

namespace onecard {

namespace {

// Gauss and Jordan with the largest pivot of each column: `m` [n,n] becomes the identity while `inverse`, which begins as it, becomes m's inverse.
void invert(std::vector<double>& m, std::vector<double>& inverse, size_t n) {
  for (size_t c = 0; c < n; ++c) {
    size_t pivot = c;
    for (size_t r = c + 1; r < n; ++r)
      if (std::fabs(m[r * n + c]) > std::fabs(m[pivot * n + c])) pivot = r;
    const double divisor = m[pivot * n + c];
    for (size_t k = 0; k < n; ++k) {
      std::swap(m[pivot * n + k], m[c * n + k]);
      std::swap(inverse[pivot * n + k], inverse[c * n + k]);
      m[c * n + k] /= divisor;
      inverse[c * n + k] /= divisor;
    }
    for (size_t r = 0; r < n; ++r) {
      const double factor = m[r * n + c];
      if (r == c || factor == 0) continue;
      for (size_t k = 0; k < n; ++k) {
        m[r * n + k] -= factor * m[c * n + k];
        inverse[r * n + k] -= factor * inverse[c * n + k];
      }
    }
  }
}

}  // namespace

std::vector<TensorType> MatrixInverse::infer(const InferContext& in) const {
  const TensorType& x = float_tensor(in, 0);
  if (!x.shape.has_rank()) return {x};
  const int64_t rank = x.shape.rank();
  require(rank >= 2, ErrorKind::model, "expects matrices, got ", x.shape);
  agreed(x.shape[rank - 1], x.shape[rank - 2]);
  return {x};
}

void MatrixInverse::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  require(x.rank() >= 2 && x.dims().back() == x.dims()[x.dims().size() - 2], ErrorKind::model, "expects square matrices, got ", x.type().shape);
  Tensor& y = allocated(out[0], x.dtype(), x.dims());
  if (x.elements() == 0) return;
  const auto n = static_cast<size_t>(x.dims().back());
  const auto size = static_cast<int64_t>(n * n);
  std::vector<double> matrix(n * n), inverse(n * n);
  for (int64_t first = 0; first < x.elements(); first += size) {
    for (size_t i = 0; i < n * n; ++i) {
      matrix[i] = x.at(first + static_cast<int64_t>(i));
      inverse[i] = i % (n + 1) == 0 ? 1 : 0;
    }
    invert(matrix, inverse, n);
    for (size_t i = 0; i < n * n; ++i) y.set(first + static_cast<int64_t>(i), inverse[i]);
  }
}

namespace {
constexpr OnnxName kNames[] = {{"com.microsoft", "Inverse", 1}};
}
const std::span<const OnnxName> MatrixInverse::kOnnx{kNames};

std::vector<Value*> MatrixInverse::from_onnx(const OnnxNode& node) { return {node.add_op(MatrixInverse{}, {node.needed(0)})}; }

DEFINE_OP(MatrixInverse)

}  // namespace onecard
