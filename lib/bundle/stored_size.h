#pragma once
#include <map>

#include "lib/ir/graph.h"

namespace onecard {

// The bytes that constants take in a bundle's weights section, each tensor counted once. A tensor is encoded when it is first asked about, and
// remembered: of networks that share most constants only what differs is work.
class StoredSizes {
 public:
  int64_t of(const ConstTensor& constant);
  int64_t of(const Graph& graph);

 private:
  struct Known {
    std::weak_ptr<const Tensor> tensor;  // another one may get the same address when this one is gone
    int64_t bytes = 0;
  };
  std::map<const Tensor*, Known> known_;  // looked up, never iterated
};

}  // namespace onecard
