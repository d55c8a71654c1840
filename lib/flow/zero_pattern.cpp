#include "lib/flow/zero_pattern.h"

#include <algorithm>

#include "lib/ops/arithmetic.h"
#include "passes/prunable.h"

namespace onecard {

namespace {

// Ends at the first four with three elements or more: in a dense weight that is the first one.
template <class T>
bool follows(std::span<const T> w, const AxisView& d) {
  for (int64_t o = 0; o < d.outer; ++o)
    for (int64_t k = 0; k + 4 <= d.extent; k += 4)
      for (int64_t i = 0; i < d.inner; ++i) {
        int set = 0;
        for (int64_t j = 0; j < 4; ++j) set += static_cast<double>(w[static_cast<size_t>(((o * d.extent) + k + j) * d.inner + i)]) != 0;
        if (set > 2) return false;
      }
  return true;
}

bool follows(const Prunable& w) {
  if (!w.depth || w.depth->extent < 4) return false;
  const ConstTensor data = materialize(w.constant);
  bool yes = false;
  visit_float(data->dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    yes = follows(data->data<T>(), *w.depth);
  });
  return yes;
}

}  // namespace

int64_t weights_in_two_of_four(const Graph& graph, const std::function<void(const Tensor&)>& has_read) {
  std::vector<std::string> notes;
  const std::vector<Prunable> weights = prunable_weights(graph, {}, notes);
  return std::count_if(weights.begin(), weights.end(), [&](const Prunable& w) {
    const bool yes = follows(w);
    if (has_read) has_read(*w.constant);
    return yes;
  });
}

}  // namespace onecard
