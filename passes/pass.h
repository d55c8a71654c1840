#pragma once
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/ir/graph.h"

namespace onecard {

// What was seen in one value while calibration data ran through the graph.
struct ValueRange {
  float min = 0, max = 0;
};
// The largest finite |x| seen in one value, and the smallest that is not 0.
struct Magnitude {
  float largest = 0, smallest = std::numeric_limits<float>::infinity();
};
enum class WeightPrecision { keep, int8, int4 /* where four bits have a home, else int8 */ };
enum class ActivationPrecision { keep, int8 /* ranges found beforehand */, int8_dynamic /* found while running */ };
enum class PruneScope { tensor, global, lamp };
enum class PruneTables { prune, leave /* lookup tables keep what they hold, unless `only` names them or there is nothing else */ };
enum class PrunePattern { any, two_of_four /* of each 4 neighbours along the axis that is summed over, 2 stay */ };

// How large the inputs of matrix products are: the norm of each channel over calibration data, by the name of the value.
using InputNorms = std::map<std::string, std::vector<float>>;

// How dear zeros are in each weight: what an element counts for is multiplied by this, by the weight's name.
using PruneCosts = std::map<std::string, float>;

struct PruneOptions {
  double amount = 0;                                  // share of zeros over all prunable weights; 0: nothing
  PruneScope scope = PruneScope::tensor;
  PruneTables tables = PruneTables::prune;
  PrunePattern pattern = PrunePattern::any;           // two_of_four: amount says one half, scope nothing
  std::vector<std::string> only, skip;                // globs of names of weights or of their layers' outputs; empty: all, none
  std::string alone;                                  // the name of the one weight to prune; empty: all
  std::shared_ptr<const PruneCosts> costs;            // with scope global: one threshold over |w| (times norm) times these; null: over |w|
  std::shared_ptr<const InputNorms> norms;            // null: an element counts by |w|; else in products of values named there by |w| * norm, per output
};
// What pruning did.
struct PrunedWeight {
  std::string name;
  double dropped = 0;                                 // where it was pruned alone: sum of the squares of what the elements that became 0 counted for
};
struct PruneSummary {
  PrunePattern pattern = PrunePattern::any;
  int64_t weights = 0, changed = 0, elements = 0, zeros = 0;
  int64_t tables_left = 0;                            // lookup tables that were not pruned for being such
  std::vector<PrunedWeight> each;
};

// How the values that a layer multiplies are stored: round(x / (scale * divisor[c])), divisor one per channel (axis 1 of what is convolved, else
// the last) or empty for ones; i8, or u8 for values that are never negative.
struct SiteQuantization {
  DType dtype = DType::i8;
  float scale = 1;
  std::vector<float> divisor;
  bool operator==(const SiteQuantization&) const = default;
};
// What compression has found for one layer: a node with constant weights.
struct FoundLayer {
  ConstTensor weight;                                 // instead of the one it has: floats, or integers with their quantization; null: stays
  ConstTensor bias;                                   // instead of the one it has or has not; null: stays
  std::optional<SiteQuantization> input;              // its integers; the weight counts with the divisor multiplied in
};

// What a pass may ask for besides the graph: options and calibration data, never files or devices.
struct PassContext {
  std::map<std::string, ValueRange> ranges;           // by value name, of the graph as it stands when the quantize passes run
  PruneOptions prune;
  PruneSummary pruned;                                // by prune_l1_unstructured
  WeightPrecision weights = WeightPrecision::keep;
  int64_t weight_block = 32;                          // weights of four bits that share a scale
  ActivationPrecision activations = ActivationPrecision::keep;
  std::optional<DType> floats;                        // f16 or bf16: what f32 becomes
  std::map<std::string, Magnitude> magnitudes;        // with `floats`, of values by name; those of one name in several bodies count together
  std::map<std::string, FoundLayer> found;            // by the name of the node's first output; ".r" behind it for R of lstm, gru, rnn
  std::vector<std::string> skip_layers;               // names of weighted nodes' outputs that stay in float
  int64_t fold_limit_bytes = int64_t{1} << 20;        // fold_constants makes no larger tensor unless it replaces as many bytes
  std::function<void(const Tensor&)> has_read;        // told after a large constant was read, if it is there: its pages may be let go
  std::vector<std::string> notes;                     // what a pass wants the user to read: a line or two
  std::vector<std::string> details;                   // what a report may list besides: a line per weight
};

// Returns how many times it changed the graph.
using PassFunction = int64_t (*)(Graph&, PassContext&);
struct PassInfo {
  std::string_view name, equation;
  PassFunction run;
};
// Every pass of passes.inc, in its order; and one by name, or null.
std::span<const PassInfo> all_passes();
const PassInfo* find_pass(std::string_view name);

#define PASS(name, equation) int64_t name(Graph&, PassContext&);
#include "passes/passes.inc"
#undef PASS

// Whether anything reads what the node computes.
bool is_read(const Graph& graph, const Node& node);
// What a rule says; false when what it builds is impossible. Of such a model only the rule knows: it joins what a step between kept apart. The node then
// stays as it is, and the error belongs to the run, if it comes to that. Rules build before they hand over: what is left of them is read by nothing.
bool attempted(const std::function<bool()>& rule);

// Tries `rule` on every node whose op is an O, in order, until nothing changes; the number of changes.
template <class O>
int64_t rewrite_each(Graph& graph, bool (*rule)(Graph&, Node&, const O&)) {
  int64_t changes = 0;
  for (bool again = true; again;) {
    again = false;
    for (auto it = graph.nodes().begin(); it != graph.nodes().end();) {
      Node& node = *it++;                             // rules add before the node and leave removal to erase_dead
      const auto* op = node.as<O>();
      if (op && is_read(graph, node) && attempted([&] { return rule(graph, node, *op); })) ++changes, again = true;
    }
    graph.erase_dead();
  }
  return changes;
}

// The node producing `v` if its op is an O and this is the only use of its result.
template <class O>
Node* sole_producer(const Graph& g, const Value* v) {
  if (!v || !v->producer || !v->producer->as<O>() || v->users.size() != 1 || g.is_output(v)) return nullptr;
  return v->producer;
}
// The node producing `v` if its op is an O, whoever else reads it.
template <class O>
Node* producer_of(const Value* v) {
  return v && v->producer && v->producer->as<O>() ? v->producer : nullptr;
}

}  // namespace onecard
