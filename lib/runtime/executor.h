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
#include "lib/runtime/weights.h"

namespace onecard {

constexpr size_t kMaxCachedPlans = 16;                // per executor; the least recently used is dropped

struct ExecutorOptions {
  std::optional<int64_t> memory_limit_bytes;
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
  // Raises model for inputs that do not fit, does_not_fit when the memory limit cannot be kept.
  void run(const std::vector<const Tensor*>& inputs, std::vector<Tensor>& outputs);
  std::vector<Tensor> run(const std::vector<const Tensor*>& inputs);

  // Plans for these inputs without running.
  const Plan& prepare(const std::vector<TensorType>& inputs);
  // The largest memory figures of all plans used so far, those of control-flow bodies added.
  MemorySummary memory() const;
  const Graph& graph() const { return *graph_; }
  Device& device() const { return device_; }
  // `wants`, where given, chooses what is shown: what is not costs nothing.
  void set_tap(Tap tap, std::function<bool(const Value&)> wants = nullptr);
  void set_step_timer(StepTimer timer) { timer_ = std::move(timer); }

 private:
  struct Prepared;                                    // one bound graph with its plan and pointers
  struct Run;                                         // the state of one run
  Executor(GraphPtr graph, Device& device, ExecutorOptions options, std::shared_ptr<WeightStore> weights, std::shared_ptr<WidenedConstants> widened);
  Prepared& prepared_for(const std::vector<TensorType>& inputs);
  void load_weights(Prepared& p);
  void run_step(Prepared& p, Run& run, size_t index);
  void run_dynamic(Prepared& p, Run& run, size_t index);
  void finish_outputs(Prepared& p, Run& run, std::vector<Tensor>& outputs);
  void show(Prepared& p, Run& run, size_t index);
  std::vector<Tensor> run_body(const Graph& body, const std::vector<const Tensor*>& inputs);

  GraphPtr graph_;
  Device& device_;
  ExecutorOptions options_;
  std::shared_ptr<WeightStore> weights_;
  std::shared_ptr<WidenedConstants> widened_;
  std::shared_ptr<DeviceBuffer> arena_;               // as large as the largest plan needs
  std::list<Prepared> cache_;                         // most recently used first
  std::map<const Graph*, std::unique_ptr<Executor>> bodies_;
  MemorySummary largest_;
  int64_t pool_peak_bytes_ = 0;
  Tap tap_;
  std::function<bool(const Value&)> wants_;
  StepTimer timer_;
};

}  // namespace onecard
