#include "lib/runtime/weights.h"

#include <algorithm>

namespace onecard {

std::shared_ptr<WeightStore::Place> WeightStore::place_of(const PlannedWeight& weight) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Place>& place = held_[{weight.value->constant, weight.key}];
  if (!place) place = std::make_shared<Place>();
  return place;
}

std::shared_ptr<const LoadedWeight> WeightStore::get(const PlannedWeight& weight) {
  const auto place = place_of(weight);
  const std::lock_guard lock(place->making);
  if (!place->weight) place->weight = make(weight);
  return place->weight;
}

std::vector<std::shared_ptr<const LoadedWeight>> WeightStore::get(const std::vector<PlannedWeight>& weights) {
  std::vector<std::shared_ptr<const LoadedWeight>> all(weights.size());
  std::vector<size_t> made_elsewhere;
  for (size_t i = 0; i < weights.size(); ++i) {
    const auto place = place_of(weights[i]);
    const std::unique_lock lock(place->making, std::try_to_lock);
    if (!lock) made_elsewhere.push_back(i);
    else if (place->weight) all[i] = place->weight;
    else all[i] = place->weight = make(weights[i]);
  }
  for (const size_t i : made_elsewhere) all[i] = get(weights[i]);
  return all;
}

void WeightStore::drop_unused() {
  const std::lock_guard lock(mutex_);
  // A place that somebody else holds is being filled.
  std::erase_if(held_, [](const auto& entry) { return entry.second.use_count() == 1 && entry.second->weight.use_count() <= 1; });
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
