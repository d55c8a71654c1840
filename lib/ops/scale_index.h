#pragma once
#include "lib/ops/axes.h"

namespace onecard {

// Which of the scales of ONNX QuantizeLinear belongs to an element: the only one, one per index of an axis, or one per block of indices.
class ScaleIndex {
 public:
  // Raises model when `scale` does not fit x.
  ScaleIndex(const Dims& x, const Dims& scale, int64_t axis, int64_t block) : block_(block) {
    const int64_t scales = element_count(scale);
    one_ = block == 0 && scale.size() <= 1 && scales == 1;
    if (one_) return;
    view_ = axis_view(x, axis);
    Dims wanted{view_.extent};
    if (block > 0) {
      wanted = x;
      auto& extent = wanted[static_cast<size_t>(checked_axis(axis, static_cast<int64_t>(x.size())))];
      extent = blocks_ = extent / block + (extent % block != 0);
    }
    require(scale == wanted, ErrorKind::model, "scales of shape ", Shape::of(scale), " do not fit ", Shape::of(x));
  }
  int64_t operator()(int64_t element) const {
    if (one_) return 0;
    const int64_t index = element / view_.inner % view_.extent;
    if (block_ == 0) return index;
    return (element / view_.inner / view_.extent * blocks_ + index / block_) * view_.inner + element % view_.inner;
  }

 private:
  AxisView view_;
  int64_t block_, blocks_ = 0;
  bool one_ = false;
};

}  // namespace onecard
