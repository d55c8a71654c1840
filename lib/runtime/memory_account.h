#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "lib/plan/plan.h"

namespace onecard {

// What bytes are for.
enum class Holds : uint8_t { weights, arena, io, pool, staging };
constexpr size_t kHoldsCount = 5;

// The device memory that the executors of one network hold now, under one hard limit.
class MemoryAccount : public std::enable_shared_from_this<MemoryAccount> {
 public:
  // Counts bytes for as long as it lives.
  class Charge {
   public:
    Charge() = default;
    Charge(Charge&& other) noexcept : account_(std::move(other.account_)), what_(other.what_), bytes_(other.bytes_) { other.account_.reset(); }
    Charge& operator=(Charge&& other) noexcept {
      std::swap(account_, other.account_);
      std::swap(what_, other.what_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Charge() {
      if (account_) account_->held_[static_cast<size_t>(what_)] -= bytes_;
    }

   private:
    friend class MemoryAccount;
    Charge(std::shared_ptr<MemoryAccount> account, Holds what, int64_t bytes) : account_(std::move(account)), what_(what), bytes_(bytes) {}
    std::shared_ptr<MemoryAccount> account_;
    Holds what_ = Holds::pool;
    int64_t bytes_ = 0;
  };

  MemoryAccount(std::optional<int64_t> limit_bytes, int64_t reserve_bytes) : limit_bytes_(limit_bytes), reserve_bytes_(reserve_bytes) {}
  // Raises does_not_fit, allocating nothing, when the limit would be exceeded even after `relieve`.
  Charge take(Holds what, int64_t bytes);
  // A tensor of the pool whose bytes are counted until its memory is given back.
  Tensor tensor(const TensorType& type);
  bool counts(const Tensor& t) const { return t.type().container == Container::tensor && t.has_value() && counted_.contains(t.raw()); }

  bool limited() const { return limit_bytes_.has_value(); }
  int64_t held() const;
  // The moment when most was held.
  const MemorySummary& at_peak() const { return at_peak_; }
  // Called when the limit is in the way: frees what no run in progress needs.
  std::function<void()> relieve;

 private:
  std::optional<int64_t> limit_bytes_;
  int64_t reserve_bytes_;
  std::array<std::atomic<int64_t>, kHoldsCount> held_{};  // weights that several executors share come and go on several threads
  std::mutex peak_;
  std::set<const void*> counted_;  // the memory of tensors made here
  MemorySummary at_peak_;
};

}  // namespace onecard
