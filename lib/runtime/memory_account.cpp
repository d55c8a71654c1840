#include "lib/runtime/memory_account.h"

namespace onecard {

int64_t MemoryAccount::held() const {
  int64_t sum = reserve_bytes_;
  for (const auto& bytes : held_) sum += bytes;
  return sum;
}

MemoryAccount::Charge MemoryAccount::take(Holds what, int64_t bytes) {
  if (limit_bytes_ && held() + bytes > *limit_bytes_ && relieve) relieve();
  const std::lock_guard lock(peak_);
  const int64_t needed = held() + bytes;
  require(!limit_bytes_ || needed <= *limit_bytes_, ErrorKind::does_not_fit, "the run needs ", needed,
          " bytes at this point, some of them of a size that depends on data; the memory limit is ", limit_bytes_.value_or(0));
  const auto of = [&](Holds h) -> std::atomic<int64_t>& { return held_[static_cast<size_t>(h)]; };
  of(what) += bytes;
  if (needed > at_peak_.peak_bytes) {
    at_peak_ = {};
    at_peak_.weights_bytes = of(Holds::weights);
    at_peak_.arena_bytes = of(Holds::arena);
    at_peak_.io_bytes = of(Holds::io);
    at_peak_.pool_bytes = of(Holds::pool);
    at_peak_.staging_bytes = of(Holds::staging);
    at_peak_.reserve_bytes = reserve_bytes_;
    at_peak_.peak_bytes = needed;
  }
  return {shared_from_this(), what, bytes};
}

namespace {

// Keeps the account alive through its charge.
struct Counted {
  Counted(const TensorType& type, MemoryAccount::Charge taken, std::set<const void*>& all) : charge(std::move(taken)), tensor(type), counted(all) {
    counted.insert(tensor.raw());
  }
  ~Counted() { counted.erase(tensor.raw()); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  MemoryAccount::Charge charge;
  Tensor tensor;
  std::set<const void*>& counted;
};

}  // namespace

Tensor MemoryAccount::tensor(const TensorType& type) {
  const auto held = std::make_shared<Counted>(type, take(Holds::pool, type.bytes()), counted_);
  return Tensor::view(type, held->tensor.raw(), held);
}

}  // namespace onecard
