// w => w with its smallest |w| set to 0
//   round(amount * n) of n elements, half to even, ties to the lowest index: torch.nn.utils.prune.l1_unstructured, per tensor, or one
//   threshold over all of them, or one over LAMP's scores w^2 / (sum of the squares of what is not smaller in its tensor), Lee 2021. Prunable: constant float weights of rank 2 or more of conv, conv_transpose, matmul (b), and W and R of
//   lstm, gru, rnn; filter banks are left alone. A weight read in several places is pruned once and stays shared.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <set>

#include "lib/ops/arithmetic.h"
#include "lib/ops/conv_transpose.h"
#include "lib/ops/gru.h"
#include "lib/ops/lstm.h"
#include "lib/ops/matmul.h"
#include "lib/ops/rnn.h"
#include "passes/filter_bank.h"
#include "passes/match.h"

namespace onecard {

namespace {

// Order of a magnitude: larger |v|, larger key; what is not a number stays unpruned longest.
uint64_t key_of(double v) { return std::bit_cast<uint64_t>(std::abs(v)); }

// Calls f(key) for every element in order.
template <class F>
void each_key(const Tensor& t, F&& f) {
  visit_float(t.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (const T& v : t.data<T>()) f(key_of(static_cast<double>(v)));
  });
}

// The key of the count-th smallest magnitude over all tensors (count >= 1), found digit by digit without copying any, and how many
// elements with exactly this key belong to the count smallest.
struct Threshold {
  uint64_t key = 0;
  int64_t with_key = 0;
};
Threshold threshold_of(const std::vector<ConstTensor>& tensors, int64_t count) {
  Threshold t{0, count};
  uint64_t settled = 0;                               // mask of the digits found so far
  for (int shift = 48; shift >= 0; shift -= 16) {
    std::vector<int64_t> histogram(65536, 0);
    for (const ConstTensor& constant : tensors)
      each_key(*materialize(constant), [&](uint64_t key) {
        if ((key & settled) == t.key) ++histogram[(key >> shift) & 0xffff];
      });
    uint64_t digit = 0;
    while (digit < 0xffff && histogram[digit] < t.with_key) t.with_key -= histogram[digit++];
    t.key |= digit << shift;
    settled |= uint64_t{0xffff} << shift;
  }
  return t;
}

// A copy with everything below the threshold set to 0, and of what equals it the first `t.with_key` still to go.
Tensor pruned(const Tensor& w, Threshold& t, int64_t& zeros) {
  Tensor out = w.clone();
  visit_float(w.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (T& v : out.data<T>()) {
      const uint64_t key = key_of(static_cast<double>(v));
      const bool tie = key == t.key && t.with_key > 0;
      t.with_key -= tie;
      if (key < t.key || tie) v = T(0.0f);
      zeros += static_cast<double>(v) == 0;
    }
  });
  return out;
}

std::vector<size_t> weight_inputs(const Node& node) {
  if (node.as<Conv>() || node.as<ConvTranspose>() || node.as<MatMul>()) return {1};
  if (node.as<Lstm>() || node.as<Gru>() || node.as<Rnn>()) return {1, 2};
  return {};
}

// Each storage once, in the order of first use; the values that hold it stand beside.
struct Prunable {
  ConstTensor constant;
  std::vector<Value*> values;
};
std::vector<Prunable> prunable_weights(const Graph& graph, PassContext& context) {
  std::vector<Prunable> found;
  std::map<const Tensor*, size_t> place;              // looked up, never iterated
  std::set<const Value*> seen;
  for (const Node& node : graph.nodes()) {
    const std::vector<size_t> inputs = weight_inputs(node);
    if (inputs.size() == 1 && is_filter_bank(node)) {
      context.notes.push_back("not pruned, a filter bank: " + node.inputs[1]->name);
      continue;
    }
    for (const size_t i : inputs) {
      Value* w = node.input(i);
      if (!w || !w->constant || w->type.quant || !is_arithmetic_float(w->type.dtype) || w->constant->rank() < 2 || w->constant->elements() == 0) continue;
      if (!seen.insert(w).second) continue;
      const auto [it, fresh] = place.emplace(w->constant.get(), found.size());
      if (fresh) found.push_back({w->constant, {}});
      found[it->second].values.push_back(w);
    }
  }
  return found;
}

int64_t share(double amount, int64_t elements) { return std::min(elements, static_cast<int64_t>(std::nearbyint(amount * static_cast<double>(elements)))); }

// LAMP scores of a tensor's elements, ascending; they grow with the magnitude.
std::vector<float> lamp_scores(const Tensor& w) {
  std::vector<double> squares = to_doubles(w);
  for (double& v : squares) v *= v;
  std::sort(squares.begin(), squares.end());
  std::vector<float> scores(squares.size());
  double rest = 0;
  for (size_t i = squares.size(); i-- > 0;) {
    rest += squares[i];
    scores[i] = rest > 0 ? static_cast<float>(squares[i] / rest) : 0.0f;
  }
  return scores;
}

// How many elements each tensor loses when the `total` smallest scores over all of them go.
std::vector<int64_t> lamp_counts(const std::vector<Prunable>& weights, int64_t total) {
  std::vector<std::vector<float>> scores;
  for (const Prunable& w : weights) scores.push_back(lamp_scores(*materialize(w.constant)));
  const auto below = [&](float bound) {
    int64_t count = 0;
    for (const auto& s : scores) count += std::upper_bound(s.begin(), s.end(), bound) - s.begin();
    return count;
  };
  uint32_t low = 0, high = std::bit_cast<uint32_t>(1.0f);  // floats that are not negative are ordered as their bits are
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (below(std::bit_cast<float>(middle)) >= total) high = middle;
    else low = middle + 1;
  }
  const float bound = std::bit_cast<float>(low);
  std::vector<int64_t> counts;
  int64_t left = total;
  for (const auto& s : scores) left -= counts.emplace_back(std::lower_bound(s.begin(), s.end(), bound) - s.begin());
  for (size_t i = 0; i < scores.size() && left > 0; ++i) {
    const int64_t more = std::min<int64_t>(left, (std::upper_bound(scores[i].begin(), scores[i].end(), bound) - scores[i].begin()) - counts[i]);
    counts[i] += more;
    left -= more;
  }
  return counts;
}

int64_t prune_one(Graph& graph, PassContext& context, const Prunable& weight, Threshold& t, int64_t& all_zeros) {
  int64_t zeros = 0;
  const auto made = std::make_shared<const Tensor>(pruned(*materialize(weight.constant), t, zeros));
  all_zeros += zeros;
  context.details.push_back("pruned " + weight.values[0]->name + ": " + std::to_string(zeros) + " of " + std::to_string(made->elements()) + " elements are 0");
  if (identical(*made, *materialize(weight.constant))) return 0;
  for (Value* v : weight.values) take_over(graph, v, graph.add_constant(v->name, made));
  return 1;
}

}  // namespace

int64_t prune_l1_unstructured(Graph& graph, PassContext& context) {
  if (!(context.prune.amount > 0) || context.prune.amount > 1) return 0;
  const std::vector<Prunable> weights = prunable_weights(graph, context);
  std::vector<ConstTensor> all;
  int64_t elements = 0, changes = 0, zeros = 0;
  for (const Prunable& w : weights) {
    all.push_back(w.constant);
    elements += w.constant->elements();
  }
  const bool global = context.prune.scope == PruneScope::global;
  const int64_t total = share(context.prune.amount, elements);
  if (global && total == 0) return 0;
  Threshold t = global ? threshold_of(all, total) : Threshold{};
  const std::vector<int64_t> lamp = context.prune.scope == PruneScope::lamp ? lamp_counts(weights, total) : std::vector<int64_t>{};
  for (size_t i = 0; i < weights.size(); ++i) {
    const Prunable& w = weights[i];
    if (!global) {
      const int64_t count = lamp.empty() ? share(context.prune.amount, w.constant->elements()) : lamp[i];
      if (count == 0) continue;
      t = threshold_of({w.constant}, count);
    }
    changes += prune_one(graph, context, w, t, zeros);
  }
  context.notes.push_back("pruned " + std::to_string(changes) + " of " + std::to_string(weights.size()) + " weights: " + std::to_string(zeros) + " of their " + std::to_string(elements) + " elements are 0");
  graph.erase_dead();
  return changes;
}

}  // namespace onecard
