#include "lib/ops/normalized_rows.h"

#include "lib/ops/axes.h"
#include "lib/ops/broadcast_index.h"

namespace onecard {

void require_broadcasts_to(const TensorType& x, const TensorType& parameter, const char* name) {
  const Shape &whole = x.shape, &part = parameter.shape;
  if (!whole.has_rank() || !part.has_rank()) return;
  bool fits = part.rank() <= whole.rank();
  for (int64_t i = 0; fits && i < part.rank(); ++i) {
    const Dim &p = part[i], &w = whole[whole.rank() - part.rank() + i];
    fits = !p.is_number() || !w.is_number() || p == Dim(1) || p == w;
  }
  require(fits, ErrorKind::model, "the ", name, ", ", parameter, ", does not broadcast to ", x);
}

void write_normalized(const Tensor& x, int64_t length, const RowStatistics& rows, const Tensor& scale, const Tensor* bias, Tensor& y) {
  const auto values = to_doubles(x), scales = to_doubles(scale), biases = bias ? to_doubles(*bias) : std::vector<double>{0.0};
  visit_float(y.dtype(), [&]<class T>(TypeTag<T>) {
    const auto to = y.data<T>();
    for_each_broadcast(x.dims(), std::array{scale.dims(), bias ? bias->dims() : Dims{}}, [&](int64_t i, const std::array<int64_t, 2>& at) {
      const auto n = static_cast<size_t>(i), row = static_cast<size_t>(i / length);
      to[n] = narrow<T>((values[n] - rows.shift[row]) * rows.factor[row] * scales[static_cast<size_t>(at[0])] + biases[static_cast<size_t>(at[1])]);
    });
  });
}

int64_t row_length(const Dims& dims, int64_t axis) {
  const auto rank = static_cast<int64_t>(dims.size());
  return element_count(Dims(dims.begin() + checked_axis(axis, rank), dims.end()));
}

std::vector<int64_t> axes_from(const Shape& x, int64_t axis) {
  require(axis < 0 || x.has_rank(), ErrorKind::model, "the rank of the input must be known to normalize from axis ", axis, " on");
  const int64_t first = x.has_rank() ? checked_axis(axis, x.rank()) - x.rank() : axis;
  require(first >= -64, ErrorKind::model, "axis ", axis, " is out of range");
  std::vector<int64_t> axes;
  for (int64_t a = first; a < 0; ++a) axes.push_back(a);
  return axes;
}

}  // namespace onecard
