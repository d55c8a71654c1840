#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lib/plan/plan.h"
#include "lib/runtime/bind.h"
#include "lib/runtime/memory_account.h"

namespace onecard {

// A constant in the form a kernel reads, in device memory; its bytes are counted while it lives.
struct LoadedWeight {
  ConstTensor tensor;  // used in place
  std::shared_ptr<DeviceBuffer> buffer;
  MemoryAccount::Charge charge;
  void* data = nullptr;
};

// Constants in the forms that kernels read; each (constant, form) is made once and shared by all plans that name it, on any thread.
class WeightStore {
 public:
  WeightStore(Device& device, MemoryAccount& account) : device_(device), account_(account) {}
  // A weight for as long as the caller holds it; loads, decodes and packs it the first time. A plain tensor already in host memory that the
  // device can read is used where it lies.
  std::shared_ptr<const LoadedWeight> get(const PlannedWeight& weight);
  // All of them. Threads that ask for the same at the same time divide the work.
  std::vector<std::shared_ptr<const LoadedWeight>> get(const std::vector<PlannedWeight>& weights);
  // Forgets what nobody else holds: forms that only plans asked for which are gone.
  void drop_unused();

 private:
  struct Place {
    std::mutex making;  // to be held while `weight` is read or made
    std::shared_ptr<const LoadedWeight> weight;
  };
  std::shared_ptr<Place> place_of(const PlannedWeight& weight);
  std::shared_ptr<const LoadedWeight> make(const PlannedWeight& weight);
  Device& device_;
  MemoryAccount& account_;
  std::mutex mutex_;  // of the map
  std::map<std::pair<ConstTensor, std::string>, std::shared_ptr<Place>> held_;
};

// The constants of networks as executors hold them; those that run at the same time, or run networks with the same constants, may share one.
struct SharedWeights {
  SharedWeights(Device& device, std::shared_ptr<MemoryAccount> counts) : account(std::move(counts)), store(device, *account) {}
  // Counts its bytes by itself.
  explicit SharedWeights(Device& device) : SharedWeights(device, std::make_shared<MemoryAccount>(std::nullopt, 0)) {}
  std::shared_ptr<MemoryAccount> account;
  WeightStore store;
  std::mutex binding;  // to be held while `widened` is used
  WidenedConstants widened;
};

}  // namespace onecard
