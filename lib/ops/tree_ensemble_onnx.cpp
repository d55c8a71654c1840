#include "lib/ops/tree_ensemble_onnx.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "lib/ops/operands.h"

namespace onecard {

namespace {

using Ints = std::vector<int64_t>;
constexpr std::string_view kTests[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"};
constexpr std::string_view kLeaf = "LEAF";

// Numbers of `key` (floats), or of `key`_as_tensor; empty when there are neither. `dtype` becomes f64 when they are.
std::vector<double> reals(const OnnxNode& node, const std::string& key, DType& dtype) {
  const auto floats = node.attr<std::vector<float>>(key, {});
  const auto tensor = node.attr<ConstTensor>(key + "_as_tensor", nullptr);
  if (!tensor) return {floats.begin(), floats.end()};
  require(floats.empty(), ErrorKind::model, "has both '", key, "' and '", key, "_as_tensor'");
  require(tensor->dtype() == DType::f32 || tensor->dtype() == DType::f64, ErrorKind::model, "attribute '", key, "_as_tensor' is ",
          info(tensor->dtype()).name);
  if (tensor->dtype() == DType::f64) dtype = DType::f64;
  return to_doubles(*materialize(tensor));
}

template <class T>
void check_length(const std::string& key, const std::vector<T>& list, size_t wanted) {
  require(list.size() == wanted, ErrorKind::model, "attribute '", key, "' has ", list.size(), " entries for ", wanted);
}
template <class T>
std::vector<T> list_of(const OnnxNode& node, const std::string& key, size_t wanted) {
  auto list = node.attr<std::vector<T>>(key, {});
  check_length(key, list, wanted);
  return list;
}
// A list that may be left out.
Ints flags(const OnnxNode& node, const std::string& key, size_t wanted) {
  return node.has(key) && !node.attr<Ints>(key, {}).empty() ? list_of<int64_t>(node, key, wanted) : Ints(wanted, 0);
}

TreeTest test_named(const std::string& mode) {
  for (size_t i = 0; i < std::size(kTests); ++i)
    if (mode == kTests[i]) return static_cast<TreeTest>(i);
  fail(ErrorKind::model, "attribute 'nodes_modes' has '", mode, "', which is no way to compare");
}

// Where the rows of nodes_* went: (tree, node id) -> node or leaf.
class NodeIds {
 public:
  void add(int64_t tree, int64_t id, RawForest::Place place) {
    require(places_[tree].emplace(id, place).second, ErrorKind::model, "node ", id, " of tree ", tree, " is given twice");
  }
  RawForest::Place find(int64_t tree, int64_t id) const {
    const auto ids = places_.find(tree);
    require(ids != places_.end(), ErrorKind::model, "there is no tree ", tree);
    const auto place = ids->second.find(id);
    require(place != ids->second.end(), ErrorKind::model, "tree ", tree, " has no node ", id);
    return place->second;
  }
  bool has_tree(int64_t tree) const { return places_.contains(tree); }

 private:
  std::unordered_map<int64_t, std::unordered_map<int64_t, RawForest::Place>> places_;
};

void add_votes(const OnnxNode& node, const std::string& prefix, const NodeIds& ids, OnnxForest& result) {
  const auto targets = node.attr<Ints>(prefix + "_ids", {});
  const auto trees = list_of<int64_t>(node, prefix + "_treeids", targets.size()), nodes = list_of<int64_t>(node, prefix + "_nodeids", targets.size());
  const std::vector<double> weights = reals(node, prefix + "_weights", result.dtype);
  check_length(prefix + "_weights", weights, targets.size());
  for (size_t i = 0; i < targets.size(); ++i) {
    const RawForest::Place place = ids.find(trees[i], nodes[i]);
    // Old converters also wrote votes of inner nodes; ONNX Runtime passes over them.
    if (place.is_leaf) result.forest.leaves[static_cast<size_t>(place.index)].push_back({targets[i], weights[i]});
  }
}

}  // namespace

OnnxForest forest_with_node_ids(const OnnxNode& node, const std::string& prefix) {
  OnnxForest result;
  RawForest& forest = result.forest;
  if (node.needed(0)->type.dtype == DType::f64) result.dtype = DType::f64;
  const auto modes = node.attr<std::vector<std::string>>("nodes_modes", {});
  const size_t count = modes.size();
  const auto trees = list_of<int64_t>(node, "nodes_treeids", count), ids = list_of<int64_t>(node, "nodes_nodeids", count),
             features = list_of<int64_t>(node, "nodes_featureids", count), yes = list_of<int64_t>(node, "nodes_truenodeids", count),
             no = list_of<int64_t>(node, "nodes_falsenodeids", count), missing = flags(node, "nodes_missing_value_tracks_true", count);
  const std::vector<double> values = reals(node, "nodes_values", result.dtype);
  check_length("nodes_values", values, count);
  NodeIds places;
  std::vector<size_t> inner;
  for (size_t i = 0; i < count; ++i) {
    const bool leaf = modes[i] == kLeaf, first = !places.has_tree(trees[i]);
    const RawForest::Place place{leaf ? std::ssize(forest.leaves) : std::ssize(forest.nodes), leaf};
    places.add(trees[i], ids[i], place);
    if (first) forest.roots.push_back(place);
    if (leaf) {
      forest.leaves.emplace_back();
    } else {
      forest.nodes.push_back({features[i], test_named(modes[i]), missing[i] != 0, values[i], {}, {}, {}});
      inner.push_back(i);
    }
  }
  for (size_t n = 0; n < inner.size(); ++n) {
    forest.nodes[n].when_true = places.find(trees[inner[n]], yes[inner[n]]);
    forest.nodes[n].when_false = places.find(trees[inner[n]], no[inner[n]]);
  }
  add_votes(node, prefix, places, result);
  forest.base = reals(node, "base_values", result.dtype);
  return result;
}

namespace {

std::vector<double> tensor_attribute(const OnnxNode& node, const std::string& key) {
  const auto tensor = node.attr<ConstTensor>(key, nullptr);
  return tensor ? to_doubles(*materialize(tensor)) : std::vector<double>{};
}

// The sets of the nodes that test for members, in their order, each ended by a NaN.
void add_members(const std::vector<double>& values, RawForest& forest) {
  size_t at = 0;
  for (auto& n : forest.nodes) {
    if (n.test != TreeTest::member) continue;
    require(at < values.size(), ErrorKind::model, "attribute 'membership_values' has too few sets");
    while (at < values.size() && values[at] == values[at]) n.members.push_back(values[at++]);
    ++at;
  }
  require(at >= values.size(), ErrorKind::model, "attribute 'membership_values' has too many sets");
}

}  // namespace

OnnxForest forest_with_leaf_lists(const OnnxNode& node) {
  OnnxForest result;
  RawForest& forest = result.forest;
  const auto splits = node.needed_attr<ConstTensor>("nodes_splits");
  if (splits->dtype() == DType::f64 || node.needed(0)->type.dtype == DType::f64) result.dtype = DType::f64;
  const std::vector<double> thresholds = to_doubles(*materialize(splits)), modes = tensor_attribute(node, "nodes_modes"),
                            weights = tensor_attribute(node, "leaf_weights");
  const size_t count = modes.size();
  check_length("nodes_splits", thresholds, count);
  const auto features = list_of<int64_t>(node, "nodes_featureids", count), yes = list_of<int64_t>(node, "nodes_truenodeids", count),
             no = list_of<int64_t>(node, "nodes_falsenodeids", count), yes_leaf = list_of<int64_t>(node, "nodes_trueleafs", count),
             no_leaf = list_of<int64_t>(node, "nodes_falseleafs", count), missing = flags(node, "nodes_missing_value_tracks_true", count),
             targets = list_of<int64_t>(node, "leaf_targetids", weights.size());
  for (size_t i = 0; i < count; ++i) {
    require(modes[i] >= 0 && modes[i] < kTreeTests, ErrorKind::model, "attribute 'nodes_modes' has ", modes[i]);
    forest.nodes.push_back(
        {features[i], static_cast<TreeTest>(modes[i]), missing[i] != 0, thresholds[i], {yes[i], yes_leaf[i] != 0}, {no[i], no_leaf[i] != 0}, {}});
  }
  for (size_t i = 0; i < weights.size(); ++i) forest.leaves.push_back({{targets[i], weights[i]}});
  for (const int64_t root : node.needed_attr<Ints>("tree_roots")) forest.roots.push_back({root, false});
  add_members(tensor_attribute(node, "membership_values"), forest);
  return result;
}

namespace {

void add_reals(OnnxForm& form, const std::string& key, const std::vector<double>& values, DType dtype) {
  if (dtype == DType::f64) form.attributes[key + "_as_tensor"] = std::make_shared<const Tensor>(Tensor::of<double>({std::ssize(values)}, values));
  else form.attributes[key] = std::vector<float>(values.begin(), values.end());
}

// Rows of nodes_* and votes, tree by tree; a node that several trees share is written for each.
class NodeRows {
 public:
  NodeRows(const RawForest& forest, const std::string& prefix)
      : forest_(forest), prefix_(prefix), node_ids_(forest.nodes.size()), leaf_ids_(forest.leaves.size()) {}
  void add_tree(int64_t tree, const RawForest::Place& root) {
    tree_ = tree;
    next_ = 0;
    open_.clear();
    id_of(root);
    for (size_t at = 0; at < open_.size(); ++at) {  // first in, first out: the rows of a tree are in the order of their ids
      const auto [place, id] = open_[at];
      require(std::ssize(ids_) < INT32_MAX, ErrorKind::model, "the trees share more nodes than can be written");
      trees_.push_back(tree_);
      ids_.push_back(id);
      if (place.is_leaf) add_leaf(place.index, id);
      else add_inner(forest_.nodes[static_cast<size_t>(place.index)]);
    }
  }
  void write(OnnxForm& form, DType dtype) const {
    form.attributes["nodes_treeids"] = trees_;
    form.attributes["nodes_nodeids"] = ids_;
    form.attributes["nodes_featureids"] = features_;
    form.attributes["nodes_truenodeids"] = yes_;
    form.attributes["nodes_falsenodeids"] = no_;
    form.attributes["nodes_modes"] = modes_;
    if (std::any_of(missing_.begin(), missing_.end(), [](int64_t m) { return m != 0; }))
      form.attributes["nodes_missing_value_tracks_true"] = missing_;
    add_reals(form, "nodes_values", values_, dtype);
    form.attributes[prefix_ + "_treeids"] = vote_trees_;
    form.attributes[prefix_ + "_nodeids"] = vote_nodes_;
    form.attributes[prefix_ + "_ids"] = targets_;
    add_reals(form, prefix_ + "_weights", weights_, dtype);
  }

 private:
  int64_t id_of(const RawForest::Place& place) {
    auto& [tree, id] = (place.is_leaf ? leaf_ids_ : node_ids_)[static_cast<size_t>(place.index)];
    if (tree != tree_ + 1) {
      tree = tree_ + 1;
      id = next_++;
      open_.emplace_back(place, id);
    }
    return id;
  }
  void add_row(int64_t feature, std::string_view mode, double value, int64_t yes, int64_t no, bool missing) {
    features_.push_back(feature);
    modes_.emplace_back(mode);
    values_.push_back(value);
    yes_.push_back(yes);
    no_.push_back(no);
    missing_.push_back(missing);
  }
  void add_leaf(int64_t leaf, int64_t id) {
    add_row(0, kLeaf, 0, 0, 0, false);
    for (const auto& vote : forest_.leaves[static_cast<size_t>(leaf)]) {
      vote_trees_.push_back(tree_);
      vote_nodes_.push_back(id);
      targets_.push_back(vote.target);
      weights_.push_back(vote.weight);
    }
  }
  void add_inner(const RawForest::RawNode& n) {
    const int64_t yes = id_of(n.when_true), no = id_of(n.when_false);
    add_row(n.feature, kTests[static_cast<size_t>(n.test)], n.threshold, yes, no, n.missing_is_true);
  }

  const RawForest& forest_;
  const std::string& prefix_;
  std::vector<std::pair<int64_t, int64_t>> node_ids_, leaf_ids_;  // tree + 1 that last had it, and its id there
  std::vector<std::pair<RawForest::Place, int64_t>> open_;
  int64_t tree_ = 0, next_ = 0;
  Ints trees_, ids_, features_, yes_, no_, missing_, vote_trees_, vote_nodes_, targets_;
  std::vector<std::string> modes_;
  std::vector<double> values_, weights_;
};

}  // namespace

bool add_node_ids(OnnxForm& form, const RawForest& forest, const std::string& prefix, DType dtype) {
  if (std::any_of(forest.nodes.begin(), forest.nodes.end(), [](const auto& n) { return n.test == TreeTest::member; })) return false;
  NodeRows rows(forest, prefix);
  for (size_t i = 0; i < forest.roots.size(); ++i) rows.add_tree(static_cast<int64_t>(i), forest.roots[i]);
  rows.write(form, dtype);
  if (!forest.base.empty()) add_reals(form, "base_values", forest.base, dtype);
  return true;
}

bool add_leaf_lists(OnnxForm& form, const RawForest& forest, DType dtype) {
  if (!forest.base.empty() || std::any_of(forest.leaves.begin(), forest.leaves.end(), [](const auto& leaf) { return leaf.size() != 1; }))
    return false;
  Ints features, yes, no, yes_leaf, no_leaf, missing, roots, targets;
  std::vector<double> modes, splits, weights, members;
  const auto add_row = [&](const RawForest::RawNode& n) {
    features.push_back(n.feature);
    modes.push_back(static_cast<double>(n.test));
    splits.push_back(n.threshold);
    yes.push_back(n.when_true.index);
    no.push_back(n.when_false.index);
    yes_leaf.push_back(n.when_true.is_leaf);
    no_leaf.push_back(n.when_false.is_leaf);
    missing.push_back(n.missing_is_true);
    if (n.test != TreeTest::member) return;
    members.insert(members.end(), n.members.begin(), n.members.end());
    members.push_back(std::nan(""));
  };
  for (const auto& n : forest.nodes) add_row(n);
  for (const auto& root : forest.roots) {
    roots.push_back(root.is_leaf ? std::ssize(features) : root.index);
    if (root.is_leaf) add_row({0, TreeTest::less_equal, false, 0, root, root, {}});  // a tree of one leaf is a node both of whose branches end there
  }
  for (const auto& leaf : forest.leaves) targets.push_back(leaf[0].target), weights.push_back(leaf[0].weight);
  const auto tensor = [](DType type, const std::vector<double>& values) {
    Tensor t(type, Dims{std::ssize(values)});
    for (size_t i = 0; i < values.size(); ++i) t.set(static_cast<int64_t>(i), values[i]);
    return std::make_shared<const Tensor>(std::move(t));
  };
  for (auto& [key, list] : {std::pair("nodes_featureids", features),
                            {"nodes_truenodeids", yes},
                            {"nodes_falsenodeids", no},
                            {"nodes_trueleafs", yes_leaf},
                            {"nodes_falseleafs", no_leaf},
                            {"nodes_missing_value_tracks_true", missing},
                            {"tree_roots", roots},
                            {"leaf_targetids", targets}})
    form.attributes[key] = list;
  form.attributes["nodes_modes"] = tensor(DType::u8, modes);
  form.attributes["nodes_splits"] = tensor(dtype, splits);
  form.attributes["leaf_weights"] = tensor(dtype, weights);
  if (!members.empty()) form.attributes["membership_values"] = tensor(dtype, members);
  return true;
}

}  // namespace onecard
