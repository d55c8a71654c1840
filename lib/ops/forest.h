#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// How a node of a tree compares a feature with its threshold; in the order of the numbers of ai.onnx.ml.TreeEnsemble.
enum class TreeTest : uint8_t { less_equal, less, greater_equal, greater, equal, not_equal, member };
constexpr int64_t kTreeTests = 7;
constexpr int64_t kMostTargets = 1 << 24;
constexpr int32_t kMissingBit = 8, kSetShift = 4;  // of the second column of the nodes

// Decision trees are held by arrays, inputs of the ops that evaluate them, in this order after x:
enum ForestInput : size_t {
  kForestNodes = 1,   // i32 [nodes, 4]: feature; test | missing << 3 | set << 4; child when true; child when false. A child below 0 is leaf ~child,
                      // any other a node that comes later, so that every walk ends. missing: NaN takes the true branch.
  kForestThresholds,  // f32 or f64 [nodes], the type that features are compared in
  kForestRoots,       // i32 [trees], a node or ~leaf
  kForestLeaves,      // i32 [leaves + 1]: where each leaf's votes begin; the last entry is their number
  kForestTargets,     // i32 [votes]
  kForestWeights,     // [votes], of the thresholds' type
  kForestBase,        // optional [targets]: added to what the trees gave
  kForestSets,        // optional i32 [sets + 1]: where each set begins
  kForestMembers,     // optional, of the thresholds' type: the sets' members, ascending in each
  kForestInputs
};

// What the trees gave one row: per target the votes together, and whether there was one.
struct ForestScores {
  std::vector<double> score;
  std::vector<uint8_t> voted;
};
enum class Aggregate : uint8_t { average, sum, min, max };
inline constexpr std::string_view kAggregateNames[] = {"average", "sum", "min", "max"};
template <>
inline constexpr std::span<const std::string_view> kEnumNames<Aggregate>{kAggregateNames};

// Raises model unless x is [F] or [N, F] of numbers and the arrays have the types above; the rows of x.
Dim check_forest_types(const InferContext& in, int64_t targets);
// The base value of a target; 0 where there is none.
double forest_base(Inputs in, int64_t target);
// Calls take(row, scores) for every row of x, in parallel; raises model where the arrays lead nowhere.
void evaluate_forest(Inputs in, int64_t targets, Aggregate aggregate, const std::function<void(int64_t row, ForestScores& scores)>& take);

// Decision trees as ONNX files give them, nodes in any order.
struct RawForest {
  // A child or root: a node or a leaf of the lists below.
  struct Place {
    int64_t index = 0;
    bool is_leaf = false;
  };
  struct RawNode {
    int64_t feature = 0;
    TreeTest test = TreeTest::less_equal;
    bool missing_is_true = false;
    double threshold = 0;
    Place when_true, when_false;
    std::vector<double> members;  // of TreeTest::member
  };
  struct Vote {
    int64_t target = 0;
    double weight = 0;
  };
  std::vector<RawNode> nodes;
  std::vector<std::vector<Vote>> leaves;
  std::vector<Place> roots;
  std::vector<double> base;
};
// x and the arrays of the trees as constants of the node's graph: what an op of trees takes. Raises model on a child that is not there, a
// feature or target out of range, and a cycle. `dtype`: of thresholds and weights.
std::vector<Value*> forest_inputs(const OnnxNode& node, const RawForest& forest, int64_t targets, DType dtype);
// The trees of a node whose arrays are constants; null when they are not.
std::optional<RawForest> forest_of(const Node& node);

}  // namespace onecard
