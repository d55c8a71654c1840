#pragma once
#include <vector>

#include "lib/ir/type.h"

namespace onecard {

// `axis` of a shape of `rank` axes, counted from the front; raises model unless -rank <= axis < rank.
inline int64_t checked_axis(int64_t axis, int64_t rank) {
  require(axis >= -rank && axis < rank, ErrorKind::model, "axis ", axis, " is out of range for rank ", rank);
  return axis < 0 ? axis + rank : axis;
}

// For each axis whether it is listed; raises model on axes out of range or named twice.
inline std::vector<char> axis_mask(const std::vector<int64_t>& axes, int64_t rank) {
  std::vector<char> mask(static_cast<size_t>(rank), 0);
  for (int64_t a : axes) {
    char& m = mask[static_cast<size_t>(checked_axis(a, rank))];
    require(!m, ErrorKind::model, "axis ", a, " is named twice");
    m = 1;
  }
  return mask;
}

// A tensor seen as [outer, extent, inner] around one axis.
struct AxisView {
  int64_t outer = 1, extent = 1, inner = 1;
};
inline AxisView axis_view(const Dims& dims, int64_t axis) {
  const auto a = static_cast<size_t>(checked_axis(axis, static_cast<int64_t>(dims.size())));
  AxisView v;
  for (size_t i = 0; i < dims.size(); ++i) (i < a ? v.outer : i == a ? v.extent : v.inner) *= dims[i];
  return v;
}

}  // namespace onecard
