#include "lib/cpu/nonzeros.h"

#include <atomic>

#include "lib/base/parallel.h"
#include "lib/ir/nonzeros.h"

namespace onecard {
namespace {

constexpr int64_t kPlaces = 64, kPerPlace = 64;
constexpr double kFewZeros = 0.1;
constexpr size_t kMostKnown = 4096;

template <class T>
int64_t count(const T* v, int64_t n) {
  int64_t set = 0;
  for (int64_t i = 0; i < n; ++i) set += v[i] != 0;
  return set;
}

template <class T>
std::optional<int64_t> count_all(const Tensor& t) {
  const auto* v = reinterpret_cast<const T*>(t.raw());
  const int64_t n = t.elements();
  int64_t seen = 0, set = 0;
  for (int64_t p = 0; p < kPlaces; ++p) {
    const int64_t begin = p * n / kPlaces, here = std::min(kPerPlace, n - begin);
    set += count(v + begin, here);
    seen += here;
  }
  if (static_cast<double>(seen - set) < kFewZeros * static_cast<double>(seen)) return std::nullopt;
  std::atomic<int64_t> all{0};
  parallel_for(n, int64_t{1} << 18, [&](int64_t begin, int64_t end) { all += count(v + begin, end - begin); });
  return all.load();
}

std::optional<int64_t> counted(const Tensor& t) {
  const int bits = info(t.dtype()).bits;
  if (t.is_deferred()) {
    const auto* source = dynamic_cast<const KnowsNonzeros*>(t.source().get());
    return source ? source->nonzeros(bits / 8) : std::nullopt;
  }
  if (t.elements() == 0) return 0;
  switch (bits) {
    case 8: return count_all<uint8_t>(t);
    case 16: return count_all<uint16_t>(t);
    case 32: return count_all<uint32_t>(t);
    default: return std::nullopt;
  }
}

}  // namespace

std::optional<int64_t> NonzeroCounts::of(const ConstTensor& t) {
  const std::lock_guard lock(mutex_);
  if (const auto it = known_.find(t.get()); it != known_.end() && it->second.tensor.lock() == t) return it->second.count;
  if (known_.size() >= kMostKnown) std::erase_if(known_, [](const auto& entry) { return entry.second.tensor.expired(); });
  return (known_[t.get()] = {t, counted(*t)}).count;
}

}  // namespace onecard
