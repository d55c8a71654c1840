#pragma once
#include <string>
#include <vector>

#include "lib/flow/optimize.h"
#include "tools/options.h"

namespace onecard {

// The flags of `optimize` as they were typed.
struct OptimizeOptions {
  std::string model, out, report;
  OutputOptions output;
  SourceOptions source;
  DeviceOptions device;
  SizeOptions sizes;
  DataOptions data;
  std::string precision = "f32", block_size, calibration, calibration_cache, prune, prune_scope, prune_score, prune_repair, memory_limit, stop_after,
              host_memory_limit, labels, metric;
  Gates gates;
  std::vector<std::string> prune_only, prune_skip, targets, skip_pass, only_pass, print_after;
  bool allow_cpu_steps = false, tune = false, suggest = false, verify_passes = false;
};

void add_options(Flags& flags, OptimizeOptions& o);
// Refuses what this version does not do and what makes no sense, before anything is read. Raises usage, or io when OUT's folder is missing.
void check_usage(const OptimizeOptions& o);
// The part of the request that the flags decide alone.
OptimizeRequest request_of(const OptimizeOptions& o);
// The options that decide a bundle's bytes, in one canonical form without paths.
std::string canonical_options(const OptimizeRequest& request, const OptimizeOptions& o);

}  // namespace onecard
