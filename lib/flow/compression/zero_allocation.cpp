#include "lib/flow/compression/zero_allocation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <queue>

#include "lib/base/in_order.h"
#include "lib/flow/compression/work.h"
#include "lib/runtime/weights.h"
#include "passes/prunable.h"

namespace onecard {

namespace {

struct Pool {
  std::map<std::string, int64_t> elements;  // of the layers that may be pruned
  std::map<std::string, int64_t> zeros;     // that they have in the pruned network
};
Pool pool_of(const Graph& dense, const Graph& each_pruned, const Graph& pruned) {
  std::map<std::string, int64_t> before;
  for (const Layer& l : find_layers(dense)) before[l.name] = zeros_of(l);
  Pool pool;
  for (const Layer& l : find_layers(each_pruned))
    if (const auto it = before.find(l.name); it != before.end() && zeros_of(l) > it->second) pool.elements[l.name] = l.weight_elements();
  for (const Layer& l : find_layers(pruned))
    if (pool.elements.contains(l.name)) pool.zeros[l.name] = zeros_of(l);
  std::erase_if(pool.elements, [&](const auto& e) { return !pool.zeros.contains(e.first); });
  return pool;
}

double share_of_zeros(const Pool& pool) {
  double zeros = 0, elements = 0;
  for (const auto& [name, n] : pool.elements) zeros += static_cast<double>(pool.zeros.at(name)), elements += static_cast<double>(n);
  return elements > 0 ? zeros / elements : 0;
}

// Of each layer, the sum over outputs of its share of what all layers together do there: every output counts alike, however much it suffers. Answers
// of other extents are lost in every output.
std::vector<double> shares_of(std::vector<std::vector<double>> errors) {
  size_t outputs = 0;
  for (const auto& e : errors) outputs = std::max(outputs, e.size());
  std::vector<double> sums(outputs), shares;
  for (auto& e : errors) {
    if (e.size() != outputs || e[0] > 1) e.assign(outputs, 1.0);
    for (size_t o = 0; o < outputs; ++o) sums[o] += e[o];
  }
  for (const auto& e : errors) {
    double share = 1e-12;
    for (size_t o = 0; o < outputs; ++o) share += sums[o] > 0 ? e[o] / sums[o] : 0;
    shares.push_back(share);
  }
  return shares;
}

}  // namespace

std::shared_ptr<const ZeroCounts> allocate_zeros(const Workbench& bench, const GraphPtr& each_pruned, const GraphPtr& pruned) {
  const Pool pool = pool_of(*bench.dense, *each_pruned, *pruned);
  const double share = share_of_zeros(pool);
  ZeroCounts even;
  for (const auto& [name, n] : pool.elements) even[name] = std::llround(share * static_cast<double>(n));
  std::map<std::string, ZeroCosts> costs = zero_costs(bench.networks(bench.dense), bench.device, bench.samples, bench.use.fitted, even,
                                                      [&](double done) { bench.progress("what zeros cost", done / 2); });
  if (costs.size() < 2) return nullptr;
  const double work = work_of_run(bench.dense_team.member(0), bench.samples, bench.use.held_out.at(0)) * static_cast<double>(costs.size());
  const size_t samples = samples_to_probe(work);
  if (samples == 0) return nullptr;

  std::vector<std::string> names;
  for (const auto& [name, c] : costs) names.push_back(name);
  std::vector<std::vector<double>> errors(names.size());  // of each output
  const auto alone = [&](int, int64_t i) {
    const std::string& name = names[static_cast<size_t>(i)];
    return bench.errors_beside_others(bench.built(bench.dense, {{name, costs.at(name).found}}), samples);
  };
  in_order(static_cast<int64_t>(names.size()), bench.workers, alone, [&](int64_t i, std::vector<double> found) {
    errors[static_cast<size_t>(i)] = std::move(found);
    costs.at(names[static_cast<size_t>(i)]).found = {};
    bench.weights->store.drop_unused();
    bench.progress("what zeros cost", 0.5 + static_cast<double>(i + 1) / static_cast<double>(2 * names.size()));
  });
  const std::vector<double> shares = shares_of(errors);
  std::vector<double> scale(names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    const std::vector<float>& each = costs.at(names[i]).each;
    const double own = std::accumulate(each.begin(), each.begin() + even.at(names[i]), 0.0);
    scale[i] = shares[i] / std::max(own, 1e-30);
  }

  int64_t left = 0, elements = 0;
  for (const std::string& name : names) left += pool.zeros.at(name), elements += pool.elements.at(name);
  const double asked = static_cast<double>(left) / static_cast<double>(elements), bound = most_in_one_weight(asked);
  using Next = std::pair<double, size_t>;
  std::priority_queue<Next, std::vector<Next>, std::greater<>> next;
  std::vector<double> highest(names.size(), 0.0);  // a layer's next zero costs no less than those before
  const auto push = [&](size_t i, int64_t zeros) {
    const std::vector<float>& each = costs.at(names[i]).each;
    if (static_cast<double>(zeros) + 1 > bound * static_cast<double>(each.size())) return;
    highest[i] = std::max(highest[i], scale[i] * each[static_cast<size_t>(zeros)]);
    next.emplace(highest[i], i);
  };
  std::vector<int64_t> taken(names.size(), 0);
  for (size_t i = 0; i < names.size(); ++i) push(i, 0);
  for (; left > 0 && !next.empty(); --left) {
    const size_t i = next.top().second;
    next.pop();
    push(i, ++taken[i]);
  }
  auto counts = std::make_shared<ZeroCounts>();
  for (size_t i = 0; i < names.size(); ++i) (*counts)[names[i]] = taken[i];
  return left == 0 ? counts : nullptr;
}

}  // namespace onecard
