#pragma once
#include <map>
#include <string>
#include <vector>

#include "lib/runtime/data/samples.h"
#include "lib/runtime/executor.h"
#include "passes/pass.h"

namespace onecard {

// Feeds OUT of one sample as IN of the next, except where the sequence starts anew.
struct Carry {
  std::vector<std::pair<std::string, std::string>> pairs;  // OUT, IN
  std::vector<size_t> starts{0};
};
// Replaces the carried inputs of sample `index` by the outputs of the run before; raises usage for unknown names.
void apply_carry(const Carry& carry, const Graph& graph, size_t index, std::vector<Tensor>& previous_outputs, Sample& sample);

// The smallest and largest finite value of every float tensor of the graph over all samples, by value name. Streams: one sample and one
// tensor in memory at a time.
std::map<std::string, ValueRange> calibrate_ranges(const GraphPtr& graph, Device& device, const SampleSource& samples, const Carry& carry,
                                                   const std::function<void(double)>& progress);

// Ranges as text, one "name min max" a line, first line naming the graph they belong to; and back. Raises usage when they belong to another.
void write_calibration_cache(const Path& path, const std::string& graph_key, const std::map<std::string, ValueRange>& ranges);
std::map<std::string, ValueRange> read_calibration_cache(const Path& path, const std::string& graph_key);
// What a cache is keyed by: the graph's text and its weights.
std::string graph_key(const Graph& graph);

}  // namespace onecard
