// w => w with its smallest |w| set to 0
//   round(amount * n) of n elements, half to even, ties to the lowest index: torch.nn.utils.prune.l1_unstructured, per tensor, or one threshold
//   over all of them, or one over LAMP's scores w^2 / (sum of the squares of what is not smaller in its tensor), Lee 2021. Tables are pruned per
//   tensor: their elements are no factors, one threshold over both says nothing. Where norms of inputs are given, a product's elements go by
//   |w| * norm, the smallest of each output (Wanda, Sun 2023), as many as its tensor loses anyway. Where costs of weights are given, the one
//   threshold is over |w| (* norm) * cost, and no weight loses more than four fifths of what the amount leaves. Pattern 2:4: of each 4 neighbours
//   along the axis that products sum over, the 2 smallest; what is left over at the end of the axis stays. A weight read in several places is pruned
//   once and stays shared; bodies of if, loop and scan are pruned with the rest.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "lib/ops/arithmetic.h"
#include "passes/prunable.h"

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
  uint64_t settled = 0;  // mask of the digits found so far
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

int64_t share(double amount, int64_t elements) {
  return std::min(elements, static_cast<int64_t>(std::nearbyint(amount * static_cast<double>(elements))));
}

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
std::vector<int64_t> lamp_counts(const std::vector<ConstTensor>& weights, int64_t total) {
  std::vector<std::vector<float>> scores;
  for (const ConstTensor& w : weights) scores.push_back(lamp_scores(*materialize(w)));
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
    const auto equal = std::upper_bound(scores[i].begin(), scores[i].end(), bound) - scores[i].begin() - counts[i];
    const int64_t more = std::min<int64_t>(left, equal);
    counts[i] += more;
    left -= more;
  }
  return counts;
}

// How many elements each tensor loses when the `total` smallest magnitudes over all of them go.
std::vector<int64_t> global_counts(const std::vector<ConstTensor>& weights, int64_t total) {
  std::vector<int64_t> counts(weights.size(), 0);
  if (total == 0) return counts;
  Threshold t = threshold_of(weights, total);
  for (size_t i = 0; i < weights.size(); ++i)
    each_key(*materialize(weights[i]), [&](uint64_t key) {
      const bool tie = key == t.key && t.with_key > 0;
      t.with_key -= tie;
      counts[i] += key < t.key || tie;
    });
  return counts;
}

// The same with no weight losing more than `most` of it.
std::vector<int64_t> bounded_counts(const std::vector<ConstTensor>& weights, int64_t total, const std::vector<int64_t>& most) {
  std::vector<int64_t> counts(weights.size(), -1);
  while (true) {
    std::vector<ConstTensor> open;
    std::vector<size_t> place;
    for (size_t i = 0; i < weights.size(); ++i)
      if (counts[i] < 0) open.push_back(weights[i]), place.push_back(i);
    const std::vector<int64_t> found = global_counts(open, total);
    bool bounded = false;
    for (size_t i = 0; i < open.size(); ++i) {
      if (found[i] <= most[place[i]]) continue;
      counts[place[i]] = most[place[i]], total -= most[place[i]], bounded = true;
    }
    if (bounded) continue;
    for (size_t i = 0; i < open.size(); ++i) counts[place[i]] = found[i];
    return counts;
  }
}

// What every element of a weight counts for, as numbers that one threshold can be laid over.
Tensor counted(const Prunable& w, float cost) {
  Tensor t(DType::f32, w.constant->dims());
  const std::vector<double> values = to_doubles(*materialize(w.constant));
  const auto to = t.data<float>();
  for (size_t i = 0; i < values.size(); ++i) to[i] = static_cast<float>(std::abs(values[i])) * cost;
  if (!w.norms.empty())
    for (size_t i = 0; i < values.size(); ++i) to[i] *= w.norms[i / static_cast<size_t>(w.depth->inner) % static_cast<size_t>(w.depth->extent)];
  return t;
}

float cost_of(const Prunable& w, const PruneOptions& asked) {
  if (!asked.costs) return 1;
  const auto it = asked.costs->find(w.name);
  return it == asked.costs->end() ? 1 : it->second;
}

std::vector<int64_t> counts_of(const std::vector<Prunable>& weights, const PruneOptions& asked) {
  std::vector<int64_t> counts(weights.size());
  std::vector<ConstTensor> together;
  std::vector<size_t> place;
  std::vector<int64_t> most;  // with costs: what cost nothing in the samples may matter elsewhere
  int64_t elements = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const Prunable& w = weights[i];
    counts[i] = share(asked.amount, w.constant->elements());
    if (w.table || asked.scope == PruneScope::tensor) continue;
    together.push_back(asked.costs ? std::make_shared<const Tensor>(counted(w, cost_of(w, asked))) : w.constant);
    if (asked.costs) most.push_back(std::max(share(most_in_one_weight(asked.amount), w.constant->elements()), zeros_in(*materialize(w.constant))));
    place.push_back(i);
    elements += w.constant->elements();
  }
  const int64_t total = share(asked.amount, elements);
  const std::vector<int64_t> found = asked.costs                         ? bounded_counts(together, total, most)
                                     : asked.scope == PruneScope::global ? global_counts(together, total)
                                                                         : lamp_counts(together, total);
  for (size_t i = 0; i < place.size(); ++i) counts[place[i]] = found[i];
  return counts;
}

// Sets the `count` smallest magnitudes to 0.
void drop_smallest(Tensor& w, int64_t count) {
  if (count == 0) return;
  Threshold t = threshold_of({std::make_shared<const Tensor>(w.alias(w.type()))}, count);
  visit_float(w.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (T& v : w.data<T>()) {
      const uint64_t key = key_of(static_cast<double>(v));
      const bool tie = key == t.key && t.with_key > 0;
      t.with_key -= tie;
      if (key < t.key || tie) v = T(0.0f);
    }
  });
}

// Elements along the axis that is summed over, with what their inputs' norms make of them.
template <class T>
class Line {
 public:
  Line(T* first, int64_t stride, const std::vector<float>& norms) : first_(first), stride_(stride), norms_(norms) {}
  // Sets the `count` smallest of the elements [begin, end) to 0, the lowest index first among equals.
  void drop(int64_t begin, int64_t end, int64_t count) {
    order_.clear();
    for (int64_t k = begin; k < end; ++k)
      order_.emplace_back(key_of(static_cast<double>(first_[k * stride_]) * (norms_.empty() ? 1.0 : norms_[static_cast<size_t>(k)])), k);
    std::nth_element(order_.begin(), order_.begin() + count, order_.end());
    for (int64_t i = 0; i < count; ++i) first_[order_[static_cast<size_t>(i)].second * stride_] = T(0.0f);
  }
  void move_to(T* first) { first_ = first; }

 private:
  T* first_;
  int64_t stride_;
  const std::vector<float>& norms_;
  std::vector<std::pair<uint64_t, int64_t>> order_;
};

// Calls f(line, number of the line) for every line along the axis that is summed over.
template <class F>
void each_line(Tensor& w, const Prunable& as, F&& f) {
  const AxisView d = *as.depth;
  visit_float(w.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* data = w.data<T>().data();
    Line<T> line(data, d.inner, as.norms);
    for (int64_t i = 0; i < d.outer * d.inner; ++i) {
      line.move_to(data + i / d.inner * d.extent * d.inner + i % d.inner);
      f(line, i);
    }
  });
}

// `count` elements in all, spread evenly over the lines.
void drop_by_line(Tensor& w, const Prunable& as, int64_t count) {
  const int64_t lines = as.depth->outer * as.depth->inner;
  each_line(w, as, [&](auto& line, int64_t i) {
    const int64_t here = (i + 1) * count / lines - i * count / lines;
    if (here > 0) line.drop(0, as.depth->extent, here);
  });
}

void drop_half_of_fours(Tensor& w, const Prunable& as) {
  each_line(w, as, [&](auto& line, int64_t) {
    for (int64_t k = 0; k + 4 <= as.depth->extent; k += 4) line.drop(k, k + 4, 2);
  });
}

bool takes_fours(const Prunable& w) { return w.depth && w.depth->extent >= 4; }

// The sum of the squares of what the elements counted for that are 0 now.
double dropped(const Prunable& w, const Tensor& now) {
  const Tensor before = counted(w, 1);
  double sum = 0;
  for (int64_t i = 0; i < now.elements(); ++i)
    if (now.at(i) == 0) sum += before.at(i) * before.at(i);
  return sum;
}

// A weight as it is after pruning.
Tensor pruned(const Prunable& w, const PruneOptions& asked, int64_t count) {
  Tensor t = w.constant->clone();
  if (asked.pattern == PrunePattern::two_of_four) drop_half_of_fours(t, w);
  else if (!w.norms.empty()) drop_by_line(t, w, count);
  else drop_smallest(t, count);
  return t;
}

}  // namespace

int64_t prune_l1_unstructured(Graph& graph, PassContext& context) {
  const PruneOptions& asked = context.prune;
  if (!(asked.amount > 0) || asked.amount > 1) return 0;
  PruneSummary done;
  const std::vector<Prunable> weights = prunable_weights(graph, asked, context.notes, &done.tables_left);
  const bool fours = asked.pattern == PrunePattern::two_of_four;
  const std::vector<int64_t> counts = fours ? std::vector<int64_t>(weights.size()) : counts_of(weights, asked);
  done.pattern = asked.pattern;
  std::map<const Tensor*, ConstTensor> made;
  for (size_t i = 0; i < weights.size(); ++i) {
    const Prunable& w = weights[i];
    if (fours && !takes_fours(w)) {
      context.notes.push_back("not pruned 2:4, there are no 4 elements along an axis that is summed over: " + w.name);
      continue;
    }
    auto t = std::make_shared<const Tensor>(pruned(w, asked, counts[i]));
    const int64_t zeros = zeros_in(*t);
    context.details.push_back("pruned " + w.name + ": " + std::to_string(zeros) + " of " + std::to_string(t->elements()) + " elements are 0");
    ++done.weights;
    done.elements += t->elements();
    done.zeros += zeros;
    done.each.push_back({w.name, asked.alone.empty() ? 0 : dropped(w, *t)});
    if (!identical(*t, *materialize(w.constant))) made[w.constant.get()] = std::move(t);
  }
  done.changed = static_cast<int64_t>(made.size());
  context.pruned = done;
  context.notes.push_back("pruned " + std::to_string(done.changed) + " of " + std::to_string(done.weights) +
                          " weights: " + std::to_string(done.zeros) + " of their " + std::to_string(done.elements) + " elements are 0");
  put_pruned(graph, made);
  return done.changed;
}

}  // namespace onecard
