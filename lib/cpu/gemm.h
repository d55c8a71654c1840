#pragma once
#include <cstdint>

namespace onecard {

// A small single-threaded f32 matrix product, for kernels that multiply blocks in between other work. The right operand is packed into
// panels of columns, padded with zeros; both calls must come from the same process, for panels are as wide as its vectors.
int64_t packed_floats(int64_t k, int64_t n);
// Packs b[k, n], whose element (i, j) lies at b[i * row_stride + j * column_stride].
void pack_columns(const float* b, int64_t row_stride, int64_t column_stride, int64_t k, int64_t n, float* packed);
// How many columns lie in one panel: a product may be cut into pieces of whole panels.
int64_t panel_columns();

enum class Into { overwrite, add };
// c[m, n] = a[m, k] @ b[k, n], or added to c; rows of a and c lie a_stride and c_stride floats apart.
void multiply(const float* a, int64_t a_stride, int64_t m, int64_t k, const float* packed, int64_t n, float* c, int64_t c_stride, Into into);

// Each row of x[rows, n] becomes softmax(scale * row + bias row); bias may be null, its rows lie bias_stride apart and hold one number per
// column, bias_step floats apart (0: one for all).
struct SoftmaxBias {
  const float* data = nullptr;
  int64_t row_stride = 0, step = 0;
};
void softmax_rows(float* x, int64_t stride, int64_t rows, int64_t n, float scale, const SoftmaxBias& bias);

}  // namespace onecard
