#include "lib/runtime/executor.h"

#include <algorithm>
#include <chrono>

#include "lib/ops/registry.h"
#include "lib/runtime/executor_state.h"

namespace onecard {

namespace {

// What planning may rely on: a sequence's elements differ from run to run.
TensorType type_for_binding(const Tensor* t, const TensorType& declared) {
  if (!t || !t->has_value() || declared.container != Container::tensor) return declared;
  TensorType type = t->type();
  type.quant = declared.quant;
  return type;
}

int64_t tensor_bytes(const Tensor& t) {
  if (!t.has_value()) return 0;
  int64_t sum = t.type().container == Container::tensor ? t.bytes() : 0;
  if (t.type().container == Container::sequence)
    for (const auto& item : t.items()) sum += tensor_bytes(item);
  return sum;
}

}  // namespace

Executor::Executor(GraphPtr graph, Device& device, ExecutorOptions options)
    : Executor(std::move(graph), device, std::make_shared<Shared>(device, options), 0) {
  limit_ = options.memory_limit_bytes;
  shared_->account->relieve = [this] { release_idle(); };
}

Executor::Executor(GraphPtr graph, Device& device, std::shared_ptr<Shared> shared, size_t depth)
    : graph_(std::move(graph)), device_(device), shared_(std::move(shared)), depth_(depth) {}

Executor::~Executor() {
  if (depth_ == 0) shared_->account->relieve = nullptr;
}

void Executor::set_tap(Tap tap, std::function<bool(const Value&)> wants) {
  tap_ = std::move(tap);
  wants_ = std::move(wants);
  if (!tap_) shown_.reset(), show_workspace_.reset();
  for (auto& [graph, body] : bodies_) body->set_tap(tap_, wants_);
}

std::vector<Tensor> Executor::run(const std::vector<const Tensor*>& inputs) {
  std::vector<Tensor> outputs;
  run(inputs, outputs);
  return outputs;
}

namespace {

// Counts up for its lifetime.
class Running {
 public:
  Running(bool& flag, int& count) : flag_(flag), count_(count) { flag_ = true, ++count_; }
  ~Running() { flag_ = false, --count_; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  bool& flag_;
  int& count_;
};

}  // namespace

void Executor::run(const std::vector<const Tensor*>& inputs, std::vector<Tensor>& outputs) { run(inputs, outputs, Extent::whole); }

void Executor::run_for_tap(const std::vector<const Tensor*>& inputs) {
  require(tap_ && wants_, ErrorKind::internal, "nothing says how far to run");
  std::vector<Tensor> outputs;
  run(inputs, outputs, Extent::wanted);
}

// Whether the tap wants something of what this node makes; of what bodies make nothing is known before they run.
bool Executor::wanted_of(const Node& node) const {
  return !node.op->subgraphs().empty() || std::any_of(node.outputs.begin(), node.outputs.end(), [&](const Value* v) { return v && wants_(*v); });
}

std::vector<TensorType> Executor::types_of(const std::vector<const Tensor*>& inputs) const {
  require(inputs.size() == graph_->inputs.size(), ErrorKind::model, "the model takes ", graph_->inputs.size(), " inputs, ", inputs.size(),
          " were given");
  std::vector<TensorType> types;
  for (size_t i = 0; i < inputs.size(); ++i) types.push_back(type_for_binding(inputs[i], graph_->inputs[i]->type));
  return types;
}

const Plan& Executor::prepare(const std::vector<const Tensor*>& inputs) { return prepared_for(types_of(inputs)).plan; }

void Executor::load(const std::vector<const Tensor*>& inputs) {
  Prepared& p = prepared_for(types_of(inputs));
  const Running running(running_, shared_->arenas[depth_].running);  // what makes room must not take this plan
  load_weights(p);
}

void Executor::run(const std::vector<const Tensor*>& inputs, std::vector<Tensor>& outputs, Extent extent) {
  Prepared& p = prepared_for(types_of(inputs));
  const Running running(running_, shared_->arenas[depth_].running);
  // A body's inputs are counted where they were made, its outputs as tensors of their own.
  const auto io = shared_->account->take(Holds::io, depth_ == 0 ? p.plan.memory.io_bytes : 0);
  load_weights(p);
  Run run{inputs, {}, {}, {}, {}, {}, {}};
  start(p, run, outputs);
  if (tap_ && wants_ && depth_ > 0) show_inputs(inputs);
  size_t end = p.plan.steps.size();
  if (extent == Extent::wanted)
    while (end > 0 && !(p.plan.steps[end - 1].node && wanted_of(*p.plan.steps[end - 1].node))) --end;
  for (size_t s = 0; s < end; ++s) run_step(p, run, s);
  if (extent == Extent::whole) finish_outputs(p, run, outputs);
}

// Gives the inputs and outputs their memory.
void Executor::start(Prepared& p, Run& run, std::vector<Tensor>& outputs) {
  run.outputs = std::move(outputs);
  run.pool.resize(p.plan.buffers.size());
  run.charges.resize(p.plan.buffers.size());
  run.staged.resize(p.plan.buffers.size());
  run.outputs.resize(p.bound.outputs.size());
  const bool host = device_.host_memory();
  for (size_t i = 0; i < p.plan.buffers.size(); ++i) {
    const Buffer& b = p.plan.buffers[i];
    if (b.kind != BufferKind::input && b.kind != BufferKind::output) continue;
    if (b.alias_of >= 0) continue;
    const auto index = static_cast<size_t>(b.index);
    if (b.kind == BufferKind::output) {
      Tensor& t = run.outputs[index];
      const TensorType& type = p.bound.outputs[index]->type;
      if (depth_ > 0) t = shared_->account->tensor(type);
      else if (!t.has_value() || !(t.type() == type)) t = Tensor(type);
    }
    const Tensor* t = b.kind == BufferKind::input ? run.inputs[index] : &run.outputs[index];
    if (!t || !t->has_value() || t->type().container != Container::tensor || t->dtype() == DType::string) continue;
    if (host) {
      p.pointers[i] = const_cast<std::byte*>(t->raw());
      continue;
    }
    if (!p.staged[i]) p.staged[i] = device_.allocate(std::max<int64_t>(t->bytes(), kAlignment));
    p.pointers[i] = p.staged[i]->data();
    if (b.kind == BufferKind::input) device_.upload(p.pointers[i], t->raw(), t->bytes());
  }
  for (size_t i = 0; i < p.plan.buffers.size(); ++i)
    if (const int alias = p.plan.buffers[i].alias_of; alias >= 0) p.pointers[i] = p.pointers[static_cast<size_t>(alias)];
}

void Executor::run_step(Prepared& p, Run& run, size_t index) {
  const PlanStep& s = p.plan.steps[index];
  if (s.dynamic) {
    run_dynamic(p, run, index);
  } else if (s.step->view_of < 0) {
    const auto pointer = [&](int buffer) -> void* {
      if (buffer < 0) return nullptr;
      const auto b = static_cast<size_t>(buffer);
      if (p.plan.buffers[b].kind != BufferKind::pool) return p.pointers[b];
      if (!run.pool[b].has_value()) return nullptr;
      if (device_.host_memory()) return run.pool[b].raw();
      if (!run.staged[b]) {
        run.staged[b] = device_.allocate(std::max<int64_t>(run.pool[b].bytes(), kAlignment));
        device_.upload(run.staged[b]->data(), run.pool[b].raw(), run.pool[b].bytes());
      }
      return run.staged[b]->data();
    };
    run.in.clear();
    run.out.clear();
    for (const int b : s.in) run.in.push_back(pointer(b));
    for (const int b : s.out) run.out.push_back(pointer(b));
    const auto begin = timer_ ? std::chrono::steady_clock::now() : std::chrono::steady_clock::time_point();
    s.step->launch({run.in, run.out, pointer(s.workspace), device_.queue()});
    if (timer_) {
      device_.synchronize();
      timer_(s, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
  }
  if (tap_) show(p, run, index);
}

namespace {

// The contents of a device buffer as a host tensor; a view where the device's memory is the host's.
Tensor on_host(Device& device, const TensorType& type, const void* data) {
  if (device.host_memory()) return Tensor::view(type, data);
  Tensor t(type);
  device.synchronize();
  device.download(t.raw(), data, t.bytes());
  return t;
}

}  // namespace

void Executor::show_inputs(const std::vector<const Tensor*>& inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = *graph_->inputs[i];
    if (inputs[i] && inputs[i]->has_value() && inputs[i]->type().container == Container::tensor && wants_(value)) tap_(value, *inputs[i]);
  }
}

void* Executor::room_for(std::shared_ptr<DeviceBuffer>& buffer, int64_t bytes) {
  if (!buffer || buffer->bytes() < bytes) {
    buffer.reset();
    buffer = device_.allocate(std::max<int64_t>(bytes, kAlignment));
  }
  return buffer->data();
}

void Executor::show(Prepared& p, Run& run, size_t index) {
  const PlanStep& s = p.plan.steps[index];
  if (!s.node || s.recomputed) return;
  for (size_t i = 0; i < s.out.size(); ++i) {
    if (s.out[i] < 0) continue;
    const auto b = static_cast<size_t>(s.out[i]);
    const Value& value = *s.node->outputs[i];
    if (wants_ && !wants_(value)) continue;
    if (p.plan.buffers[b].kind == BufferKind::pool) {
      if (run.pool[b].has_value() && run.pool[b].type().container == Container::tensor) tap_(value, run.pool[b]);
      continue;
    }
    const Layout layout = s.step && i < s.step->out_layouts.size() ? s.step->out_layouts[i] : nullptr;
    if (!layout) {
      tap_(value, on_host(device_, value.type, p.pointers[b]));
      continue;
    }
    std::unique_ptr<Step>& plain = p.plain[{index, i}];
    if (!plain) plain = device_.make_reorder(value.type, layout, nullptr);
    const void* from = p.pointers[b];
    void* to = room_for(shown_, value.type.bytes());
    plain->launch({{&from, 1}, {&to, 1}, room_for(show_workspace_, plain->workspace_bytes), device_.queue()});
    tap_(value, on_host(device_, value.type, to));
  }
}

void Executor::run_dynamic(Prepared& p, Run& run, size_t index) {
  const PlanStep& s = p.plan.steps[index];
  const Node& node = *s.node;
  ErrorScope scope(std::string(node.op->name()) + (node.name.empty() ? "" : " '" + node.name + "'"));
  std::vector<Tensor> made(node.inputs.size());
  std::vector<const Tensor*> in(node.inputs.size(), nullptr);
  for (size_t i = 0; i < in.size(); ++i) {
    if (!node.inputs[i] || s.in[i] < 0) continue;
    const auto b = static_cast<size_t>(s.in[i]);
    const Buffer& buffer = p.plan.buffers[b];
    if (buffer.kind == BufferKind::pool) in[i] = &run.pool[b];
    else if (buffer.kind == BufferKind::input && buffer.alias_of < 0) in[i] = run.inputs[static_cast<size_t>(buffer.index)];
    else {
      made[i] = node.inputs[i]->constant && node.inputs[i]->type.dtype == DType::string ? node.inputs[i]->constant->clone()
                                                                                        : on_host(device_, node.inputs[i]->type, p.pointers[b]);
      in[i] = &made[i];
    }
  }
  std::vector<Tensor> out;
  if (node.op->subgraphs().empty()) out = evaluate(*node.op, in);
  else out = node.op->run_bodies(in, [&](const Graph& body, const std::vector<const Tensor*>& inputs) { return run_body(p, body, inputs); });
  take_results(p, run, index, out);
}

// Puts what an unplanned step gave into the pool, counted, and frees what no later step reads.
void Executor::take_results(Prepared& p, Run& run, size_t index, std::vector<Tensor>& out) {
  const PlanStep& s = p.plan.steps[index];
  require(out.size() == s.node->outputs.size(), ErrorKind::internal, "gave ", out.size(), " outputs, not ", s.node->outputs.size());
  for (size_t i = 0; i < out.size(); ++i) {
    if (s.out[i] < 0) continue;
    const auto b = static_cast<size_t>(s.out[i]);
    require(p.plan.buffers[b].kind == BufferKind::pool, ErrorKind::internal, "a result that depends on data has a planned buffer");
    const TensorType& declared = s.node->outputs[i]->type;
    if (declared.is_static() && declared.dtype != DType::string)
      require(out[i].type().shape == declared.shape && out[i].dtype() == declared.dtype, ErrorKind::model, "gives ", out[i].type(), " where ",
              declared, " was inferred");
    run.charges[b] = {};
    run.pool[b] = Tensor();
    if (!shared_->account->counts(out[i])) run.charges[b] = shared_->account->take(Holds::pool, tensor_bytes(out[i]));
    run.pool[b] = std::move(out[i]);
  }
  for (size_t b = 0; b < run.pool.size(); ++b)
    if (p.plan.buffers[b].kind == BufferKind::pool && !p.is_result[b] && p.plan.buffers[b].last <= static_cast<int64_t>(index) &&
        run.pool[b].has_value() && p.plan.buffers[b].first < static_cast<int64_t>(index))
      run.pool[b] = Tensor(), run.charges[b] = {};
}

void Executor::finish_outputs(Prepared& p, Run& run, std::vector<Tensor>& outputs) {
  device_.synchronize();
  for (size_t b = 0; b < p.plan.buffers.size(); ++b) {
    const Buffer& buffer = p.plan.buffers[b];
    if (buffer.kind == BufferKind::output && p.staged[b]) {
      Tensor& t = run.outputs[static_cast<size_t>(buffer.index)];
      device_.download(t.raw(), p.pointers[b], t.bytes());
    }
  }
  // Outputs whose size depends on data, and those that are strings or sequences, lie in the pool.
  std::map<const Value*, size_t> pooled;
  for (size_t b = 0; b < p.plan.buffers.size(); ++b)
    if (p.plan.buffers[b].kind == BufferKind::pool && p.buffer_values[b]) pooled[p.buffer_values[b]] = b;
  for (size_t i = 0; i < p.bound.outputs.size(); ++i) {
    const Value* v = p.bound.outputs[i];
    if (const auto it = pooled.find(v); it != pooled.end()) {
      run.outputs[i] = run.pool[it->second].clone();
      continue;
    }
    const bool planned = v->type.is_static() && v->type.dtype != DType::string;
    if (planned) continue;
    const auto at = std::find(p.bound.inputs.begin(), p.bound.inputs.end(), v);
    if (at != p.bound.inputs.end()) run.outputs[i] = run.inputs[static_cast<size_t>(at - p.bound.inputs.begin())]->clone();
    else if (v->constant) run.outputs[i] = v->constant->clone();
  }
  outputs = std::move(run.outputs);
}

}  // namespace onecard
