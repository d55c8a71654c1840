#pragma once
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/plan/plan.h"
#include "lib/runtime/bind.h"

namespace onecard {

struct SharedWeights;

constexpr size_t kMaxCachedPlans = 16;  // per executor; the least recently used is dropped

struct ExecutorOptions {
  std::optional<int64_t> memory_limit_bytes;  // over all that the network's plans, bodies and data-dependent results hold at any moment
  std::shared_ptr<SharedWeights> weights{};   // shared with other executors of the device (then without a limit); null: of its own
};

// Sees values while a run goes on: the graph value and its contents in plain layout, in the order they are made.
using Tap = std::function<void(const Value& value, const Tensor& contents)>;
// Sees each planned step with its duration.
using StepTimer = std::function<void(const PlanStep& step, double seconds)>;

// Runs one graph on one device for any input shapes the graph allows; plans are made per shape and cached. One run at a time.
class Executor {
 public:
  Executor(GraphPtr graph, Device& device, ExecutorOptions options = {});
  ~Executor();

  // Inputs in the graph's order, in host memory. `outputs` is filled; its tensors are reused when they have the right type.
  // Raises model for inputs that do not fit, does_not_fit when the memory limit cannot be kept (with the smallest that can, where it is known).
  void run(const std::vector<const Tensor*>& inputs, std::vector<Tensor>& outputs);
  std::vector<Tensor> run(const std::vector<const Tensor*>& inputs);

  // Runs only as far as the tap wants something, which its `wants` must say, and gives no outputs.
  void run_for_tap(const std::vector<const Tensor*>& inputs);

  // Plans for these inputs without running; bodies too, as far as the sizes they get are known.
  const Plan& prepare(const std::vector<TensorType>& inputs);
  const Plan& prepare(const std::vector<const Tensor*>& inputs);
  // Loads the weights of a run with these inputs ahead of it, on other threads perhaps than the run will have: they are the same on any.
  void load(const std::vector<const Tensor*>& inputs);
  // The largest memory figures so far: of a plan with its bodies, or of what was really held.
  MemorySummary memory() const;
  const Graph& graph() const { return *graph_; }
  Device& device() const { return device_; }
  // `wants`, where given, chooses what is shown, the inputs of bodies among it: what is not costs nothing.
  void set_tap(Tap tap, std::function<bool(const Value&)> wants = nullptr);
  void set_step_timer(StepTimer timer) { timer_ = std::move(timer); }

 private:
  struct Shared;    // by the executors of a network and of its bodies
  struct Prepared;  // one bound graph with its plan and pointers
  struct Run;       // the state of one run
  enum class Squeeze : uint8_t { no, yes };
  enum class Extent : uint8_t { whole, wanted };
  Executor(GraphPtr graph, Device& device, std::shared_ptr<Shared> shared, size_t depth);
  // executor_plan.cpp
  Prepared& prepared_for(const std::vector<TensorType>& inputs);
  void plan_under_limit(Prepared& made);
  Executor& body(const Graph& graph);
  MemorySummary body_need(const Graph& graph, const std::vector<TensorType>& types, Squeeze squeeze);
  MemorySummary bodies_need(const Graph& bound, Squeeze squeeze);
  void load_weights(Prepared& p);
  std::vector<Tensor> run_body(const Prepared& p, const Graph& body, const std::vector<const Tensor*>& inputs);
  void release_idle();
  // executor.cpp
  void run(const std::vector<const Tensor*>& inputs, std::vector<Tensor>& outputs, Extent extent);
  bool wanted_of(const Node& node) const;
  std::vector<TensorType> types_of(const std::vector<const Tensor*>& inputs) const;
  void start(Prepared& p, Run& run, std::vector<Tensor>& outputs);
  void run_step(Prepared& p, Run& run, size_t index);
  void run_dynamic(Prepared& p, Run& run, size_t index);
  void take_results(Prepared& p, Run& run, size_t index, std::vector<Tensor>& results);
  void finish_outputs(Prepared& p, Run& run, std::vector<Tensor>& outputs);
  void show(Prepared& p, Run& run, size_t index);
  void show_inputs(const std::vector<const Tensor*>& inputs);
  void* room_for(std::shared_ptr<DeviceBuffer>& buffer, int64_t bytes);

  GraphPtr graph_;
  Device& device_;
  std::shared_ptr<Shared> shared_;
  size_t depth_ = 0;  // of bodies in one another
  bool running_ = false;
  std::optional<int64_t> limit_;                              // of this graph and its bodies: what is left for them
  std::list<Prepared> cache_;                                 // most recently used first
  std::map<const Graph*, std::unique_ptr<Executor>> bodies_;  // looked up, and asked all at once
  MemorySummary largest_;
  Tap tap_;
  std::function<bool(const Value&)> wants_;
  std::shared_ptr<DeviceBuffer> shown_, show_workspace_;  // of values that a tap sees in plain layout, one at a time
  StepTimer timer_;
};

}  // namespace onecard
