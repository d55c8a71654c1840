#include "lib/ops/key_lookup.h"

#include <algorithm>
#include <numeric>

#include "lib/ops/movement.h"

namespace onecard {

namespace {

// Calls body with the elements of a tensor of keys.
template <class F>
void visit_keys(const Tensor& t, F&& body) {
  switch (t.dtype()) {
    case DType::string: return body(std::span<const std::string>(t.text()));
    case DType::i64: return body(t.data<int64_t>());
    case DType::i32: return body(t.data<int32_t>());
    case DType::i16: return body(t.data<int16_t>());
    case DType::f32: return body(t.data<float>());
    case DType::f64: return body(t.data<double>());
    default: fail(ErrorKind::model, "keys are ", info(t.dtype()).name);
  }
}

}  // namespace

bool is_key_type(DType t) {
  return t == DType::string || t == DType::i64 || t == DType::i32 || t == DType::i16 || t == DType::f32 || t == DType::f64;
}

SortedKeys sort_keys(const Tensor& keys, AmongEqualKeys kept) {
  std::vector<int64_t> order(static_cast<size_t>(keys.elements()));
  std::iota(order.begin(), order.end(), int64_t{0});
  visit_keys(keys, [&]<class T>(std::span<const T> all) {
    const auto less = [&](int64_t a, int64_t b) { return key_less(all[static_cast<size_t>(a)], all[static_cast<size_t>(b)]); };
    if (kept == AmongEqualKeys::last) std::reverse(order.begin(), order.end());
    std::stable_sort(order.begin(), order.end(), less);
    order.erase(std::unique(order.begin(), order.end(), [&](int64_t a, int64_t b) { return !less(a, b) && !less(b, a); }), order.end());
  });
  SortedKeys sorted{Tensor(keys.dtype(), Dims{std::ssize(order)}), order};
  const ElementCopier copy(keys, sorted.keys);
  for (size_t i = 0; i < order.size(); ++i) copy(order[i], static_cast<int64_t>(i));
  return sorted;
}

std::vector<int64_t> find_keys(const Tensor& keys, const Tensor& x) {
  std::vector<int64_t> places;
  places.reserve(static_cast<size_t>(x.elements()));
  visit_keys(keys, [&]<class T>(std::span<const T> all) {
    visit_keys(x, [&]<class X>(std::span<const X> wanted) {
      if constexpr (std::is_same_v<T, X>) {
        for (const T& w : wanted) {
          const auto found = std::lower_bound(all.begin(), all.end(), w, key_less<T>);
          places.push_back(found != all.end() && !key_less(w, *found) ? found - all.begin() : -1);
        }
      } else {
        fail(ErrorKind::internal, "keys and values looked up differ in type");
      }
    });
  });
  return places;
}

}  // namespace onecard
