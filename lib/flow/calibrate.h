#pragma once
#include <map>
#include <string>
#include <vector>

#include "lib/runtime/data/carry.h"
#include "lib/runtime/executor.h"
#include "passes/pass.h"

namespace onecard {

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
