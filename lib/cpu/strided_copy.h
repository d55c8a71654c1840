#pragma once
#include "lib/cpu/walk.h"

namespace onecard {

// Moves elements from one strided arrangement to another: every transpose, slice, expansion and cut of a tensor is one of these.
class StridedCopy {
 public:
  // Strides in elements; a source stride may be 0 or negative. None when the axes do not collapse to kWalkAxes.
  static std::optional<StridedCopy> make(Dims extents, Dims from, Dims to, int64_t element_bytes);
  // Offsets of the first element are the caller's: pass pointers to it.
  void run(const void* from, void* to) const;
  // Whether the elements are a single block at the same distances on both sides.
  bool is_one_block() const { return walk_.rank == 1 && walk_.rows == 1 && contiguous_; }

 private:
  template <class T>
  void strided(const char* from, char* to) const;
  template <class T>
  void tiles(const char* from, char* to) const;
  void rows(const char* from, char* to) const;

  Walk<2> walk_;             // strides in bytes; operand 0 is the source
  int64_t bytes_ = 1;        // of what moves as one element
  bool contiguous_ = false;  // the last axis counts bytes that lie together
  int across_ = -1;          // >= 0: the axis along which the source lies together
};

}  // namespace onecard
