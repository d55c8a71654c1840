#include "cuda/launch.cuh"
#include "cuda/walk.h"

namespace onecard::cuda {
namespace {

template <class T>
struct CopyEach {
  Walk<2> walk;
  const T* from;
  T* to;
  ANYWHERE void operator()(int i) const {
    int at[2];
    walk.offsets(i, at);
    to[at[1]] = from[at[0]];
  }
};

template <class T>
void copy(const Walk<2>& walk, const void* from, void* to, void* queue) {
  launch_each(CopyEach<T>{walk, static_cast<const T*>(from), static_cast<T*>(to)}, walk.count, queue);
}

}  // namespace

std::optional<StridedCopy> StridedCopy::make(const Dims& extents, const Dims& from, const Dims& to, int element_bytes) {
  const auto walk = make_walk<2>(extents, {from, to});
  if (!walk) return std::nullopt;
  StridedCopy copy;
  copy.walk_ = *walk;
  copy.bytes_ = element_bytes;
  return copy;
}

void StridedCopy::run(const void* from, void* to, void* queue) const {
  if (bytes_ == 1) return copy<uint8_t>(walk_, from, to, queue);
  if (bytes_ == 2) return copy<uint16_t>(walk_, from, to, queue);
  if (bytes_ == 4) return copy<uint32_t>(walk_, from, to, queue);
  require(bytes_ == 8, ErrorKind::internal, "elements of ", bytes_, " bytes are not copied");
  copy<uint64_t>(walk_, from, to, queue);
}

}  // namespace onecard::cuda
