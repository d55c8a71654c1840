#pragma once
#include <string>

#include "lib/base/file.h"
#include "lib/flow/compression/compress.h"

namespace onecard {

// Which ranges calibration finds: whole recipes compete, or one rule for every value.
enum class CalibrationMethod : uint8_t { automatic, minmax, entropy, percentile, mse };
const char* name_of(CalibrationMethod method);  // as --calibration takes it
// The rule of a method; nothing where recipes compete.
std::optional<RangeRule> range_rule(CalibrationMethod method);

// What calibration decided, as text: the first line names the network it belongs to, then method, recipe, the layers that stay in float, and of every
// other layer how its input is stored.
void write_calibration_cache(const Path& path, const std::string& key, CalibrationMethod method, const Calibrated& found);
// And back. Raises usage when it belongs to another network, or was made by another method than the one asked for (nothing: any will do).
Calibrated read_calibration_cache(const Path& path, const std::string& key, std::optional<CalibrationMethod> method);
// What a cache is keyed by: the graph's text, its weights, and what else decides them.
std::string graph_key(const Graph& graph, const std::string& options);

}  // namespace onecard
