#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/ops/axes.h"
#include "passes/pass.h"

namespace onecard {

// One weight that may be pruned: a storage, whoever reads it.
struct Prunable {
  ConstTensor constant;
  std::string name;               // of the first value that holds it
  std::optional<AxisView> depth;  // around the axis that products sum over; nothing where none does, or not all the same one
  bool table = false;             // only looked up (gather), multiplied by nothing
  std::vector<float> norms;       // of what the indices of `depth` multiply; empty: not known
};

// The prunable weights of the graph and of the bodies in it, in the order of their first use: constant floats of rank 2 or more of conv,
// conv_transpose, matmul (b), W and R of lstm, gru and rnn, and tables of gather, that the options' globs choose. Filter banks are left out, with a
// note. Raises usage when a glob fits no weight, or nothing is left.
// `tables_left`, where not null, receives how many tables were left out for being such.
std::vector<Prunable> prunable_weights(const Graph& graph, const PruneOptions& options, std::vector<std::string>& notes,
                                       int64_t* tables_left = nullptr);

// Elements that are 0, of floats or integers.
int64_t zeros_in(const Tensor& t);

// The share of one weight that may go where zeros are given to weights by what they cost: all but a fifth of what `amount` would leave.
constexpr double most_in_one_weight(double amount) { return amount + 0.8 * (1 - amount); }

// Puts these in the place of the weights they are made from, in the graph and its bodies.
void put_pruned(Graph& graph, const std::map<const Tensor*, ConstTensor>& made);

}  // namespace onecard
