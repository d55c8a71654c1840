#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/device/device.h"

namespace onecard {

constexpr int64_t kAlignment = 64;                    // of every buffer in the arena, bytes
constexpr int64_t align_up(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

enum class BufferKind : uint8_t {
  arena,                                              // in the pooled arena, at `offset`
  input, output,                                      // the caller's tensor `index` of the graph's inputs or outputs, plain layout
  weight,                                             // packed constant `index` of Plan::weights
  pool,                                               // allocated while running, between planned stretches; its size may depend on data: 0 bytes
};

// One piece of memory of a plan. `first` and `last` are step numbers between which it must keep its contents.
struct Buffer {
  std::string value;                                  // the graph value it holds (workspaces: "<kernel> workspace")
  BufferKind kind = BufferKind::arena;
  int64_t bytes = 0;                                  // not rounded
  int64_t padding_bytes = 0;                          // of `bytes`, what a blocked layout adds
  int64_t first = 0, last = 0;
  int64_t offset = -1;                                // in the arena
  int64_t index = -1;                                 // which input, output or weight
  int alias_of = -1;                                  // shares that buffer's memory (view or in place); never a chain
};

// A constant in the form a step reads it, resident for the whole run.
struct PlannedWeight {
  const Value* value = nullptr;
  std::string key;                                    // "plain" or a kernel's packed form
  int64_t bytes = 0;
  std::function<void(const Tensor& plain, void* packed)> pack;
};

// One launch: a node by its kernel, a reorder between layouts, or a node whose result depends on data and runs unplanned.
struct PlanStep {
  const Node* node = nullptr;                         // null: a reorder
  std::string kernel;                                 // "onednn.conv", "reorder", "reference"
  std::vector<int> in, out;                           // buffers; -1: absent
  int workspace = -1;                                 // buffer, or -1
  std::shared_ptr<const Step> step;                   // null for a dynamic step
  bool dynamic = false;
  bool recomputed = false;                            // runs a second time to save memory
  std::vector<std::string> why_not;                   // "kernel: reason" of every better kernel that declined
};

constexpr int64_t kDecodeStagingBytes = int64_t{4} << 20;  // at most, for the compressed pieces being decoded when weights are loaded

struct MemorySummary {
  int64_t weights_bytes = 0;                          // in the forms steps read
  int64_t arena_bytes = 0, arena_lower_bound_bytes = 0;
  int64_t workspace_bytes = 0;                        // the largest step's, part of the arena
  int64_t io_bytes = 0;                               // inputs and outputs
  int64_t pool_bytes = 0;                             // results of unplanned steps, as far as their sizes are known
  int64_t staging_bytes = 0;                          // the largest constant while it is packed, and kDecodeStagingBytes
  int64_t reserve_bytes = 0;                          // the device's own
  int64_t peak_bytes = 0;                             // all of these together
};

// How one static graph runs on one device. Pure data; refers to the nodes and values of the graph it was made from.
struct Plan {
  std::vector<PlanStep> steps;
  std::vector<Buffer> buffers;
  std::vector<PlannedWeight> weights;
  int64_t arena_bytes = 0, arena_lower_bound_bytes = 0;
  // Arena lower bound: the most bytes, each buffer rounded up to kAlignment and aliases counted once, that are live at one step.
  MemorySummary memory;
};

struct PlanOptions {
  int threads = 1;
  std::optional<int64_t> memory_limit_bytes;          // over everything in MemorySummary::peak_bytes
};

// Takes fused nodes apart for which the device has no kernel, until every node has one or is left to the reference.
void place(Graph& graph, const Device& device, int threads);
// Plans a graph whose inputs are all static and that `place` went over. Raises does_not_fit with the smallest feasible limit when the memory
// limit cannot be kept even with recomputation.
Plan make_plan(const Graph& graph, const Device& device, const PlanOptions& options);
// Checks a plan with code of its own: every read after its write, no two live buffers overlap, offsets aligned and inside the arena,
// aliases legal, bound and totals right. Raises internal.
void validate(const Plan& plan);
std::string to_text(const Plan& plan);

}  // namespace onecard
