#pragma once
#include <map>
#include <mutex>

#include "lib/ir/tensor.h"

namespace onecard {

// How many elements of constants have a bit set; each is counted once. Callable from several threads.
class NonzeroCounts {
 public:
  // Nothing where it is not known without decoding, or where a look at some places says that few are zero.
  std::optional<int64_t> of(const ConstTensor& t);

 private:
  struct Known {
    std::weak_ptr<const Tensor> tensor;
    std::optional<int64_t> count;
  };
  std::mutex mutex_;
  std::map<const Tensor*, Known> known_;  // looked up, never iterated but to forget what is gone
};

}  // namespace onecard
