#include <algorithm>
#include <cmath>

#include "lib/ops/forest.h"
#include "lib/ops/operands.h"

namespace onecard {

namespace {

constexpr int64_t kMostNodes = INT32_MAX / 4;

void check_place(const RawForest& forest, const RawForest::Place& place, const char* what) {
  const auto count = place.is_leaf ? std::ssize(forest.leaves) : std::ssize(forest.nodes);
  require(place.index >= 0 && place.index < count, ErrorKind::model, what, " of the trees is ", place.is_leaf ? "leaf " : "node ", place.index,
          " of ", count);
}

void check(const RawForest& forest, int64_t targets) {
  require(targets >= 1 && targets <= kMostTargets, ErrorKind::model, "has ", targets, " targets");
  require(std::ssize(forest.nodes) <= kMostNodes && std::ssize(forest.leaves) <= kMostNodes && !forest.roots.empty(), ErrorKind::model, "has ",
          forest.roots.size(), " trees of ", forest.nodes.size(), " nodes");
  for (const auto& root : forest.roots) check_place(forest, root, "a root");
  for (const auto& node : forest.nodes) {
    check_place(forest, node.when_true, "a child");
    check_place(forest, node.when_false, "a child");
    require(node.feature >= 0 && node.feature <= INT32_MAX, ErrorKind::model, "the trees look at feature ", node.feature);
  }
  for (const auto& leaf : forest.leaves)
    for (const auto& vote : leaf)
      require(vote.target >= 0 && vote.target < targets, ErrorKind::model, "the trees vote for target ", vote.target, " of ", targets);
}

// The nodes reached from the roots, parents before their children and the true branch next; raises model on a cycle.
std::vector<int64_t> parents_first(const RawForest& forest) {
  enum class State : uint8_t { unseen, open, done };
  std::vector<State> state(forest.nodes.size(), State::unseen);
  std::vector<int64_t> order, stack;
  const auto visit = [&](const RawForest::Place& place) {
    if (!place.is_leaf && state[static_cast<size_t>(place.index)] != State::done) stack.push_back(place.index);
  };
  for (size_t root = forest.roots.size(); root-- > 0;) {
    visit(forest.roots[root]);
    while (!stack.empty()) {
      const int64_t at = stack.back();
      State& s = state[static_cast<size_t>(at)];
      if (s == State::unseen) {
        s = State::open;
        const auto& node = forest.nodes[static_cast<size_t>(at)];
        for (const auto* child : {&node.when_true, &node.when_false}) {
          require(child->is_leaf || state[static_cast<size_t>(child->index)] != State::open, ErrorKind::model, "the trees have a cycle through node ",
                  child->index);
          visit(*child);
        }
      } else {
        if (s == State::open) order.push_back(at);
        s = State::done;
        stack.pop_back();
      }
    }
  }
  std::reverse(order.begin(), order.end());
  return order;
}

Tensor int_tensor(const Dims& dims, const std::vector<int32_t>& values) { return Tensor::of<int32_t>(dims, values); }
Tensor real_tensor(DType dtype, const std::vector<double>& values) {
  Tensor t(dtype, Dims{std::ssize(values)});
  for (size_t i = 0; i < values.size(); ++i) t.set(static_cast<int64_t>(i), values[i]);
  return t;
}

struct Arrays {
  std::vector<int32_t> nodes, roots, leaves{0}, targets, sets{0};
  std::vector<double> thresholds, weights, members;
};

Arrays arrays_of(const RawForest& forest) {
  const std::vector<int64_t> order = parents_first(forest);
  std::vector<int32_t> place_of(forest.nodes.size(), -1);
  for (size_t i = 0; i < order.size(); ++i) place_of[static_cast<size_t>(order[i])] = static_cast<int32_t>(i);
  const auto encoded = [&](const RawForest::Place& p) { return p.is_leaf ? ~static_cast<int32_t>(p.index) : place_of[static_cast<size_t>(p.index)]; };
  Arrays a;
  for (const int64_t i : order) {
    const auto& node = forest.nodes[static_cast<size_t>(i)];
    auto test = static_cast<int32_t>(node.test) | (node.missing_is_true ? kMissingBit : 0);
    if (node.test == TreeTest::member) {
      test |= static_cast<int32_t>(a.sets.size() - 1) << kSetShift;
      std::vector<double> members = node.members;
      std::sort(members.begin(), members.end());
      a.members.insert(a.members.end(), members.begin(), members.end());
      a.sets.push_back(static_cast<int32_t>(a.members.size()));
      require(std::ssize(a.sets) < INT32_MAX >> kSetShift && std::ssize(a.members) < INT32_MAX, ErrorKind::model, "the trees have too many sets");
    }
    for (const int32_t column : {static_cast<int32_t>(node.feature), test, encoded(node.when_true), encoded(node.when_false)})
      a.nodes.push_back(column);
    a.thresholds.push_back(node.test == TreeTest::member ? 0 : node.threshold);
  }
  for (const auto& root : forest.roots) a.roots.push_back(encoded(root));
  for (const auto& leaf : forest.leaves) {
    for (const auto& vote : leaf) a.targets.push_back(static_cast<int32_t>(vote.target)), a.weights.push_back(vote.weight);
    require(std::ssize(a.targets) < INT32_MAX, ErrorKind::model, "the trees have too many votes");
    a.leaves.push_back(static_cast<int32_t>(a.targets.size()));
  }
  return a;
}

}  // namespace

std::vector<Value*> forest_inputs(const OnnxNode& node, const RawForest& forest, int64_t targets, DType dtype) {
  check(forest, targets);
  const Arrays a = arrays_of(forest);
  std::vector<Value*> in(kForestInputs, nullptr);
  in[0] = node.needed(0);
  if (const Shape& shape = in[0]->type.shape; shape.has_rank() && shape.rank() > 0 && shape[shape.rank() - 1].is_number()) {
    const int64_t features = shape[shape.rank() - 1].number();
    for (const auto& n : forest.nodes) require(n.feature < features, ErrorKind::model, "the trees look at feature ", n.feature, " of ", features);
  }
  in[kForestNodes] = node.constant(int_tensor({std::ssize(a.thresholds), 4}, a.nodes));
  in[kForestThresholds] = node.constant(real_tensor(dtype, a.thresholds));
  in[kForestRoots] = node.constant(int_tensor({std::ssize(a.roots)}, a.roots));
  in[kForestLeaves] = node.constant(int_tensor({std::ssize(a.leaves)}, a.leaves));
  in[kForestTargets] = node.constant(int_tensor({std::ssize(a.targets)}, a.targets));
  in[kForestWeights] = node.constant(real_tensor(dtype, a.weights));
  if (!forest.base.empty()) in[kForestBase] = node.constant(real_tensor(dtype, forest.base));
  if (!a.members.empty() || a.sets.size() > 1) {
    in[kForestSets] = node.constant(int_tensor({std::ssize(a.sets)}, a.sets));
    in[kForestMembers] = node.constant(real_tensor(dtype, a.members));
  }
  while (!in.back()) in.pop_back();
  return in;
}

std::optional<RawForest> forest_of(const Node& node) {
  std::vector<ConstTensor> held(kForestInputs);
  for (size_t i = kForestNodes; i < kForestInputs; ++i) {
    const Value* v = node.input(i);
    if (v && !v->is_constant()) return std::nullopt;
    if (v) held[i] = materialize(v->constant);
  }
  const auto list = [&](size_t i) { return held[i] ? to_ints(*held[i]) : std::vector<int64_t>{}; };
  const std::vector<int64_t> nodes = list(kForestNodes), leaves = list(kForestLeaves), targets = list(kForestTargets), sets = list(kForestSets);
  const std::vector<double> weights = to_doubles(*held[kForestWeights]), thresholds = to_doubles(*held[kForestThresholds]);
  const std::vector<double> members = held[kForestMembers] ? to_doubles(*held[kForestMembers]) : std::vector<double>{};
  const auto place = [](int64_t code) { return code < 0 ? RawForest::Place{~code, true} : RawForest::Place{code, false}; };
  const auto range = [](const std::vector<int64_t>& starts, int64_t i, size_t size) {
    require(i >= 0 && i + 1 < std::ssize(starts) && starts[static_cast<size_t>(i)] >= 0 &&
                starts[static_cast<size_t>(i)] <= starts[static_cast<size_t>(i) + 1] &&
                starts[static_cast<size_t>(i) + 1] <= static_cast<int64_t>(size),
            ErrorKind::model, "the arrays of the trees do not fit together");
    return std::pair(static_cast<size_t>(starts[static_cast<size_t>(i)]), static_cast<size_t>(starts[static_cast<size_t>(i) + 1]));
  };
  require(nodes.size() == 4 * thresholds.size() && targets.size() == weights.size(), ErrorKind::model, "the arrays of the trees do not fit together");
  RawForest forest;
  for (size_t i = 0; i < thresholds.size(); ++i) {
    const int64_t test = nodes[4 * i + 1];
    require((test & 7) < kTreeTests, ErrorKind::model, "node ", i, " of the trees has no such test: ", test & 7);
    RawForest::RawNode n{nodes[4 * i],
                         static_cast<TreeTest>(test & 7),
                         (test & kMissingBit) != 0,
                         thresholds[i],
                         place(nodes[4 * i + 2]),
                         place(nodes[4 * i + 3]),
                         {}};
    if (n.test == TreeTest::member) {
      const auto [begin, end] = range(sets, test >> kSetShift, members.size());
      n.members.assign(members.begin() + static_cast<int64_t>(begin), members.begin() + static_cast<int64_t>(end));
    }
    forest.nodes.push_back(std::move(n));
  }
  for (int64_t i = 0; i + 1 < std::ssize(leaves); ++i) {
    const auto [begin, end] = range(leaves, i, weights.size());
    auto& leaf = forest.leaves.emplace_back();
    for (size_t v = begin; v < end; ++v) leaf.push_back({targets[v], weights[v]});
  }
  for (const int64_t root : list(kForestRoots)) forest.roots.push_back(place(root));
  if (held[kForestBase]) forest.base = to_doubles(*held[kForestBase]);
  check(forest, kMostTargets);
  parents_first(forest);
  return forest;
}

}  // namespace onecard
