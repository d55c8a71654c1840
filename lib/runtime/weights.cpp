#include "lib/runtime/weights.h"

#include <vector>

namespace onecard {

void* WeightStore::get(const PlannedWeight& weight) {
  const std::pair key(weight.value->constant, weight.key);
  auto it = held_.find(key);
  if (it == held_.end()) it = held_.emplace(key, make(weight)).first;
  return it->second.data;
}

void WeightStore::drop_unused() {
  std::map<const Tensor*, long> ours;
  for (const auto& [key, held] : held_) ours[key.first.get()] += held.tensor ? 2 : 1;
  std::erase_if(held_, [&](const auto& entry) { return entry.first.first.use_count() == ours[entry.first.first.get()]; });
}

WeightStore::Held WeightStore::make(const PlannedWeight& weight) {
  const ConstTensor& constant = weight.value->constant;
  Held held;
  const bool plain = !weight.pack;
  if (plain && device_.host_memory() && !constant->is_deferred()) {
    held.tensor = constant;
    held.data = const_cast<std::byte*>(constant->raw());
    return held;
  }
  held.buffer = device_.allocate(weight.bytes);
  held.data = held.buffer->data();
  if (device_.host_memory()) {
    if (plain) constant->source()->load({static_cast<std::byte*>(held.data), static_cast<size_t>(weight.bytes)});
    else weight.pack(*materialize(constant), held.data);
    return held;
  }
  const ConstTensor loaded = materialize(constant);
  if (plain) {
    device_.upload(held.data, loaded->raw(), weight.bytes);
  } else {
    std::vector<std::byte> staging(static_cast<size_t>(weight.bytes));
    weight.pack(*loaded, staging.data());
    device_.upload(held.data, staging.data(), weight.bytes);
  }
  return held;
}

}  // namespace onecard
