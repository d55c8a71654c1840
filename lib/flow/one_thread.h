#pragma once
#include "lib/base/parallel.h"

namespace onecard {

// While it lives, one thread computes: for what decides a bundle's bytes, since sums split over threads another way round differently.
class OneThread {
 public:
  OneThread() : before_(thread_count()) { set_threads(1); }
  ~OneThread() { set_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

}  // namespace onecard
