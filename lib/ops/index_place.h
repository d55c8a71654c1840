#pragma once
#include "lib/ir/type.h"

namespace onecard {

// An index counted from either end, from the front; raises model when it lies outside.
inline int64_t place_of(int64_t index, int64_t extent) {
  require(index >= -extent && index < extent, ErrorKind::model, "index ", index, " of an axis of ", extent);
  return index < 0 ? index + extent : index;
}

}  // namespace onecard
