#include "lib/runtime/weights.h"

#include <algorithm>
#include <vector>

namespace onecard {

std::shared_ptr<const LoadedWeight> WeightStore::get(const PlannedWeight& weight) {
  const std::pair key(weight.value->constant, weight.key);
  const std::lock_guard lock(mutex_);
  if (const auto it = held_.find(key); it != held_.end()) return it->second;
  return held_[key] = make(weight);
}

void WeightStore::drop_unused() {
  const std::lock_guard lock(mutex_);
  std::erase_if(held_, [](const auto& entry) { return entry.second.use_count() == 1; });
}

std::shared_ptr<const LoadedWeight> WeightStore::make(const PlannedWeight& weight) {
  const ConstTensor& constant = weight.value->constant;
  const auto held = std::make_shared<LoadedWeight>();
  held->charge = account_.take(Holds::weights, weight.bytes);
  const bool plain = !weight.pack;
  if (plain && device_.host_memory() && !constant->is_deferred()) {
    held->tensor = constant;
    held->data = const_cast<std::byte*>(constant->raw());
    return held;
  }
  const auto staged = account_.take(Holds::staging, (plain ? 0 : constant->bytes()) + std::min(kDecodeStagingBytes, 2 * weight.bytes));
  held->buffer = device_.allocate(weight.bytes);
  held->data = held->buffer->data();
  if (device_.host_memory()) {
    if (plain) constant->source()->load({static_cast<std::byte*>(held->data), static_cast<size_t>(weight.bytes)});
    else weight.pack(*materialize(constant), held->data);
    return held;
  }
  const ConstTensor loaded = materialize(constant);
  if (plain) {
    device_.upload(held->data, loaded->raw(), weight.bytes);
  } else {
    std::vector<std::byte> staging(static_cast<size_t>(weight.bytes));
    weight.pack(*loaded, staging.data());
    device_.upload(held->data, staging.data(), weight.bytes);
  }
  return held;
}

}  // namespace onecard
