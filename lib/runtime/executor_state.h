#pragma once
#include "lib/runtime/executor.h"
#include "lib/runtime/memory_account.h"
#include "lib/runtime/weights.h"

// What executor.cpp (running) and executor_plan.cpp (planning) both see.
namespace onecard {

// What the executors of one network and of its bodies share.
struct Executor::Shared {
  Shared(Device& device, const ExecutorOptions& options)
      : account(std::make_shared<MemoryAccount>(options.memory_limit_bytes, device.reserve_bytes())),
        weights(options.weights ? options.weights : std::make_shared<SharedWeights>(device, account)) {}
  // The arena of all executors at one depth of nesting, of which one runs at a time.
  struct Arena {
    std::shared_ptr<DeviceBuffer> buffer;
    MemoryAccount::Charge charge;
    int64_t made = 0;  // how many times
    int running = 0;
    void release() { buffer.reset(), charge = {}; }
  };
  std::shared_ptr<MemoryAccount> account;
  std::shared_ptr<SharedWeights> weights;
  std::map<size_t, Arena> arenas;  // by depth
};

struct Executor::Prepared {
  std::vector<TensorType> types;
  Graph bound;
  Plan plan;
  MemorySummary total;                   // the plan's and that of the bodies, as far as their sizes are known
  std::vector<TensorType> buffer_types;  // of the value in each buffer, to make tensors of it
  std::vector<const Value*> buffer_values;
  std::vector<bool> is_result;                        // per buffer: a graph output, kept to the end of the run
  std::vector<void*> pointers;                        // per buffer; null for pool buffers and, between runs, inputs and outputs
  std::vector<std::shared_ptr<DeviceBuffer>> staged;  // device copies of inputs and outputs, where host memory cannot be read
  std::vector<std::shared_ptr<const LoadedWeight>> weights;
  int64_t arena_made = 0;                                            // of the arena to which the pointers belong
  std::map<std::pair<size_t, size_t>, std::unique_ptr<Step>> plain;  // by step and output: what arranges it for a tap
};

// Tensors that live outside the arena during one run, by buffer.
struct Executor::Run {
  const std::vector<const Tensor*>& inputs;
  std::vector<Tensor> pool;                           // one per buffer, empty unless it is a pool buffer in use
  std::vector<MemoryAccount::Charge> charges;         // of those that are not counted where they were made
  std::vector<Tensor> outputs;                        // host tensors of planned outputs
  std::vector<std::shared_ptr<DeviceBuffer>> staged;  // device copies of pool buffers
  std::vector<const void*> in;                        // scratch of the step being launched
  std::vector<void*> out;
};

}  // namespace onecard
