#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace onecard {

// Calls body(i) for 0 <= i < count, each call on a thread of its own that counts as the only one: nothing inside depends on how many there are.
void on_single_threads(int count, const std::function<void(int i)>& body);

// What make(worker, i) gives for 0 <= i < count, handed to take(i, result) in order on the calling thread. Up to `workers` are made at the same
// time, each on a thread that counts as the only one, so that results do not depend on how many workers there are.
template <class Make, class Take>
void in_order(int64_t count, int workers, const Make& make, const Take& take) {
  using Result = decltype(make(0, int64_t{0}));
  for (int64_t first = 0; first < count; first += workers) {
    const int now = static_cast<int>(std::min<int64_t>(workers, count - first));
    std::vector<std::optional<Result>> made(static_cast<size_t>(now));
    on_single_threads(now, [&](int worker) { made[static_cast<size_t>(worker)].emplace(make(worker, first + worker)); });
    for (int worker = 0; worker < now; ++worker) take(first + worker, std::move(*made[static_cast<size_t>(worker)]));
  }
}

}  // namespace onecard
