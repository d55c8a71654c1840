#pragma once
#include <string>
#include <utility>
#include <vector>

#include "lib/runtime/data/samples.h"

namespace onecard {

// Feeds OUT of one sample as IN of the next, except where the sequence starts anew.
struct Carry {
  std::vector<std::pair<std::string, std::string>> pairs;  // OUT, IN
  std::vector<size_t> starts{0};
};
// Replaces the carried inputs of sample `index` by the outputs of the run before; raises usage for unknown names.
void apply_carry(const Carry& carry, const Graph& graph, size_t index, const std::vector<Tensor>& previous_outputs, Sample& sample);

}  // namespace onecard
