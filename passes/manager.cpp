#include "passes/manager.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <set>

#include "lib/ir/text.h"
#include "passes/bodies.h"
#include "passes/refine.h"

namespace onecard {

namespace {

constexpr int kMostRounds = 16;                       // of a fixpoint group: rules that undo each other must not hang the tool
constexpr int kMostNesting = 64;

const PassInfo& known_pass(std::string_view name, ErrorKind kind) {
  const PassInfo* pass = find_pass(name);
  require(pass != nullptr, kind, "no pass is named '", name, "'; `onecard passes` lists them");
  return *pass;
}

void check_options(const PipelineOptions& options) {
  for (const auto* names : {&options.skip, &options.only})
    for (const std::string& name : *names) known_pass(name, ErrorKind::usage);
  for (const std::string& name : options.print_after)
    if (name != "all") known_pass(name, ErrorKind::usage);
  if (options.stop_after) known_pass(options.stop_after->pass, ErrorKind::usage);
}

bool contains(const std::vector<std::string>& names, std::string_view name) { return std::find(names.begin(), names.end(), name) != names.end(); }

void collect_constants(const Graph& graph, std::set<const Tensor*>& seen, int64_t& bytes, int depth) {
  for (const Value& v : graph.values())
    if (v.constant && seen.insert(v.constant.get()).second && v.type.container == Container::tensor) bytes += v.constant->bytes();
  if (depth == kMostNesting) return;
  for (const Node& node : graph.nodes())
    for (const GraphPtr& body : node.op->subgraphs()) collect_constants(*body, seen, bytes, depth + 1);
}

int64_t run_with_bodies(const PassInfo& pass, Graph& graph, PassContext& context, int depth);

// Runs the pass on a copy of a body. A body may be impossible for the sizes that are known, and never taken: inference then refuses what it
// holds, and the body stays as it was.
int64_t run_on_copy(const PassInfo& pass, Graph& copy, PassContext& context, int depth) {
  try {
    const int64_t changes = run_with_bodies(pass, copy, context, depth);
    if (changes) verify(copy);
    return changes;
  } catch (const Error& e) {
    if (e.kind != ErrorKind::model) throw;
    return 0;
  }
}

// Runs the pass on the bodies held by one node.
int64_t run_on_bodies(const PassInfo& pass, Graph& graph, Node& node, PassContext& context, int depth) {
  return change_bodies(graph, node, [&](Graph& body) {
    PassContext inner = context;
    inner.ranges.clear();                             // seen in the main graph
    inner.notes.clear();
    inner.details.clear();
    const int64_t here = run_on_copy(pass, body, inner, depth + 1);
    context.notes.insert(context.notes.end(), inner.notes.begin(), inner.notes.end());
    context.details.insert(context.details.end(), inner.details.begin(), inner.details.end());
    return here;
  });
}

int64_t run_with_bodies(const PassInfo& pass, Graph& graph, PassContext& context, int depth) {
  int64_t changes = 0;
  if (depth < kMostNesting) {
    for (auto it = graph.nodes().begin(); it != graph.nodes().end();) {
      Node& node = *it++;
      if (!node.op->subgraphs().empty()) changes += run_on_bodies(pass, graph, node, context, depth);
    }
    if (changes) {
      graph.erase_dead();
      refine_types(graph);
    }
  }
  return changes + pass.run(graph, context);
}

// The one place where passes run.
class Manager {
 public:
  Manager(Graph& graph, PassContext& context, const PipelineOptions& options) : graph_(graph), context_(context), options_(options) {}

  // Runs the pass of a row, adding to its record; false when it is left out.
  bool run(const PipelineRow& row, PassRecord& record) {
    const PassInfo& pass = known_pass(row.pass, ErrorKind::internal);
    if (contains(options_.skip, row.pass) || (!options_.only.empty() && !contains(options_.only, row.pass))) return false;
    record.name = std::string(row.pass);
    std::optional<Graph> before;
    if (options_.verify_numbers) before = graph_.clone();
    const int64_t bytes = constant_bytes(graph_);
    const auto start = std::chrono::steady_clock::now();
    const int64_t changes = run_checked(pass, row.reach);
    record.ms += std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    record.changes += changes;
    record.bytes_delta += constant_bytes(graph_) - bytes;
    if (changes && before) options_.verify_numbers(row.pass, *before, graph_);
    if (options_.print && (contains(options_.print_after, "all") || contains(options_.print_after, row.pass))) options_.print(row.pass, graph_);
    if (options_.stop_after && options_.stop_after->pass == row.pass && ++runs_of_stop_ == options_.stop_after->occurrence) stopped_ = true;
    return true;
  }
  bool stopped() const { return stopped_; }
  int64_t runs_of_stop() const { return runs_of_stop_; }

 private:
  int64_t run_checked(const PassInfo& pass, Reach reach) {
    if (options_.keep_reproducer && text_.empty()) text_ = to_text(graph_);
    try {
      ErrorScope scope("pass " + std::string(pass.name));
      const int64_t changes = reach == Reach::everywhere ? run_with_bodies(pass, graph_, context_, 0) : pass.run(graph_, context_);
      verify(graph_);
      if (changes) text_.clear();
      return changes;
    } catch (const ImpossibleModel&) {
      throw;
    } catch (const Error& e) {
      if (e.kind != ErrorKind::internal && e.kind != ErrorKind::model) throw;
      std::string message = "pass " + std::string(pass.name) + " failed: " + e.what();
      if (options_.keep_reproducer)
        message += "; reproducer: " + options_.keep_reproducer("# case: " + std::string(pass.name) + " failed: " + e.message + "\n# run: tests/passes/pass_test with this file beside " +
                                                                std::string(pass.name) + ".ir\n" + text_);
      fail(ErrorKind::internal, message);
    }
  }

  Graph& graph_;
  PassContext& context_;
  const PipelineOptions& options_;
  std::string text_;  // of the graph before the pass that runs, for a reproducer; empty when a pass has changed it since
  int64_t runs_of_stop_ = 0;
  bool stopped_ = false;
};

// Runs neighbouring fixpoint rows together until a round changes nothing.
void run_group(Manager& manager, std::span<const PipelineRow> rows, std::vector<PassRecord>& records) {
  const int rounds = rows[0].repeat == Repeat::once ? 1 : kMostRounds;
  std::vector<PassRecord> group(rows.size());
  int64_t changes = 1;
  for (int round = 0; round < rounds && changes && !manager.stopped(); ++round) {
    changes = 0;
    for (size_t i = 0; i < rows.size() && !manager.stopped(); ++i) {
      const int64_t before = group[i].changes;
      if (manager.run(rows[i], group[i])) changes += group[i].changes - before;
    }
  }
  for (PassRecord& record : group)
    if (!record.name.empty()) records.push_back(std::move(record));
}

}  // namespace

StopAfter StopAfter::parse(std::string_view text) {
  StopAfter stop;
  const size_t colon = text.find(':');
  stop.pass = std::string(text.substr(0, colon));
  known_pass(stop.pass, ErrorKind::usage);
  if (colon == std::string_view::npos) return stop;
  const std::string_view number = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), stop.occurrence);
  require(error == std::errc() && end == number.data() + number.size() && stop.occurrence >= 1, ErrorKind::usage, "'", text, "': after the colon stands which run of the pass, 1 or more");
  return stop;
}

int64_t constant_bytes(const Graph& graph) {
  std::set<const Tensor*> seen;
  int64_t bytes = 0;
  collect_constants(graph, seen, bytes, 0);
  return bytes;
}

PipelineResult run_pipeline(Graph& graph, PassContext& context, std::span<const PipelineRow> rows, const PipelineOptions& options) {
  check_options(options);
  PipelineResult result;
  Manager manager(graph, context, options);
  for (size_t begin = 0; begin < rows.size() && !manager.stopped();) {
    size_t end = begin + 1;
    while (rows[begin].repeat == Repeat::fixpoint && end < rows.size() && rows[end].repeat == Repeat::fixpoint) ++end;
    run_group(manager, rows.subspan(begin, end - begin), result.records);
    begin = end;
  }
  result.stopped = manager.stopped();
  result.runs_of_stop = manager.runs_of_stop();
  return result;
}

}  // namespace onecard
