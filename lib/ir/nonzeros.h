#pragma once
#include <cstdint>
#include <optional>

namespace onecard {

// What a TensorSource may be besides: one that knows how many elements of its tensor have a bit set without decoding them.
class KnowsNonzeros {
 public:
  virtual ~KnowsNonzeros() = default;
  // Of elements of so many bytes; nothing when it does not know after all.
  virtual std::optional<int64_t> nonzeros(int64_t element_bytes) const = 0;
};

}  // namespace onecard
