#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "passes/pass.h"

namespace onecard {

enum class Repeat : uint8_t { once, fixpoint /* with its fixpoint neighbours, until none of them changes anything */ };
enum class Reach : uint8_t { everywhere /* bodies of If, Loop and Scan too */, main_graph };

// One position of a pipeline.
struct PipelineRow {
  std::string_view pass;
  Repeat repeat = Repeat::once;
  Reach reach = Reach::everywhere;
  std::string_view why;                               // it stands here
};

// Ends a pipeline after the occurrence-th run of a pass, counted from 1 and over all its positions and rounds.
struct StopAfter {
  std::string pass;
  int64_t occurrence = 1;
  // From "NAME" or "NAME:N"; raises usage for an unknown pass or a number below 1.
  static StopAfter parse(std::string_view text);
};

// Debugging of a pipeline; names of passes that do not exist raise usage.
struct PipelineOptions {
  std::vector<std::string> skip, only;                // only: empty for all
  std::optional<StopAfter> stop_after;
  std::vector<std::string> print_after;               // names, or "all"
  std::function<void(std::string_view pass, const Graph& graph)> print;
  // Called after every pass that changed something, with the graph as it was before.
  std::function<void(std::string_view pass, const Graph& before, const Graph& after)> verify_numbers;
  // Keeps the text of a graph on which a pass failed; returns where it was put.
  std::function<std::string(const std::string& text)> keep_reproducer;
};

// What one position did, over all its rounds.
struct PassRecord {
  std::string name;
  int64_t changes = 0;
  double ms = 0;
  int64_t bytes_delta = 0;                            // of the constants, each storage counted once
};
struct PipelineResult {
  std::vector<PassRecord> records;                    // one per position that ran
  bool stopped = false;                               // by stop_after
  int64_t runs_of_stop = 0;                           // of the pass that stop_after names
};

// Runs the rows in order, each pass followed by verify. A pass that fails, or leaves a graph that is not valid, raises internal naming it.
PipelineResult run_pipeline(Graph& graph, PassContext& context, std::span<const PipelineRow> rows, const PipelineOptions& options = {});

// Bytes of the constants of a graph and its bodies, each storage counted once.
int64_t constant_bytes(const Graph& graph);

}  // namespace onecard
