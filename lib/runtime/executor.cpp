#include "lib/runtime/executor.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "lib/base/parallel.h"
#include "lib/ops/registry.h"

namespace onecard {

namespace {

bool same_types(const std::vector<TensorType>& a, const std::vector<TensorType>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (!(a[i] == b[i]) && !(a[i].container != Container::tensor && a[i].container == b[i].container)) return false;
  return true;
}

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

struct Executor::Prepared {
  std::vector<TensorType> types;
  Graph bound;
  Plan plan;
  std::vector<TensorType> buffer_types;               // of the value in each buffer, to make tensors of it
  std::vector<const Value*> buffer_values;
  std::vector<bool> is_result;                        // per buffer: a graph output, kept to the end of the run
  std::vector<void*> pointers;                        // per buffer; null for pool buffers and, between runs, inputs and outputs
  std::vector<std::shared_ptr<DeviceBuffer>> staged;  // device copies of inputs and outputs, where host memory cannot be read
  bool weights_loaded = false;
};

// Tensors that live outside the arena during one run, by buffer.
struct Executor::Run {
  const std::vector<const Tensor*>& inputs;
  std::vector<Tensor> pool;                           // one per buffer, empty unless it is a pool buffer in use
  std::vector<Tensor> outputs;                        // host tensors of planned outputs
  std::vector<std::shared_ptr<DeviceBuffer>> staged;  // device copies of pool buffers
  std::vector<const void*> in;                        // scratch of the step being launched
  std::vector<void*> out;
  int64_t pool_bytes = 0, pool_peak_bytes = 0;
};

Executor::Executor(GraphPtr graph, Device& device, ExecutorOptions options)
    : Executor(std::move(graph), device, options, std::make_shared<WeightStore>(device), std::make_shared<WidenedConstants>()) {}

Executor::Executor(GraphPtr graph, Device& device, ExecutorOptions options, std::shared_ptr<WeightStore> weights, std::shared_ptr<WidenedConstants> widened)
    : graph_(std::move(graph)), device_(device), options_(options), weights_(std::move(weights)), widened_(std::move(widened)) {}

Executor::~Executor() = default;

void Executor::set_tap(Tap tap, std::function<bool(const Value&)> wants) {
  tap_ = std::move(tap);
  wants_ = std::move(wants);
  for (auto& [graph, body] : bodies_) body->set_tap(tap_, wants_);
}

const Plan& Executor::prepare(const std::vector<TensorType>& inputs) { return prepared_for(inputs).plan; }

Executor::Prepared& Executor::prepared_for(const std::vector<TensorType>& inputs) {
  for (auto it = cache_.begin(); it != cache_.end(); ++it)
    if (same_types(it->types, inputs)) {
      cache_.splice(cache_.begin(), cache_, it);
      return cache_.front();
    }
  require(inputs.size() == graph_->inputs.size(), ErrorKind::model, "the model takes ", graph_->inputs.size(), " inputs, ", inputs.size(), " were given");
  for (size_t i = 0; i < inputs.size(); ++i) check_input(*graph_->inputs[i], inputs[i]);
  Prepared made;
  made.types = inputs;
  BindOptions bind_options;
  bind_options.computes = [this](DType t) { return device_.computes(t); };
  bind_options.widened = widened_.get();
  made.bound = bind_graph(*graph_, inputs, bind_options);
  place(made.bound, device_, thread_count());
  verify(made.bound);
  PlanOptions plan_options;
  plan_options.threads = thread_count();
  plan_options.memory_limit_bytes = options_.memory_limit_bytes;
  made.plan = make_plan(made.bound, device_, plan_options);
  validate(made.plan);
  std::map<std::string, const Value*> named;
  for (const auto& v : made.bound.values()) named[v.name] = &v;
  for (const auto& b : made.plan.buffers) {
    const auto it = named.find(b.value);
    made.buffer_values.push_back(it == named.end() ? nullptr : it->second);
    made.buffer_types.push_back(it == named.end() ? TensorType() : it->second->type);
    made.is_result.push_back(made.buffer_values.back() && made.bound.is_output(made.buffer_values.back()));
  }
  made.pointers.assign(made.plan.buffers.size(), nullptr);
  made.staged.resize(made.plan.buffers.size());
  const MemorySummary& m = made.plan.memory;
  if (m.peak_bytes > largest_.peak_bytes) largest_ = m;
  if (cache_.size() >= kMaxCachedPlans) {
    cache_.pop_back();
    weights_->drop_unused();
  }
  cache_.push_front(std::move(made));
  return cache_.front();
}

void Executor::load_weights(Prepared& p) {
  if (!arena_ || arena_->bytes() < p.plan.arena_bytes) {
    arena_.reset();
    arena_ = device_.allocate(std::max<int64_t>(p.plan.arena_bytes, kAlignment));
    for (auto& other : cache_) other.weights_loaded = false;  // their pointers named the old arena
  }
  if (p.weights_loaded) return;
  for (size_t i = 0; i < p.plan.buffers.size(); ++i) {
    const Buffer& b = p.plan.buffers[i];
    if (b.kind == BufferKind::weight) p.pointers[i] = weights_->get(p.plan.weights[static_cast<size_t>(b.index)]);
    if (b.kind == BufferKind::arena) p.pointers[i] = static_cast<std::byte*>(arena_->data()) + b.offset;
  }
  p.weights_loaded = true;
}

std::vector<Tensor> Executor::run(const std::vector<const Tensor*>& inputs) {
  std::vector<Tensor> outputs;
  run(inputs, outputs);
  return outputs;
}

void Executor::run(const std::vector<const Tensor*>& inputs, std::vector<Tensor>& outputs) {
  require(inputs.size() == graph_->inputs.size(), ErrorKind::model, "the model takes ", graph_->inputs.size(), " inputs, ", inputs.size(), " were given");
  std::vector<TensorType> types;
  for (size_t i = 0; i < inputs.size(); ++i) types.push_back(type_for_binding(inputs[i], graph_->inputs[i]->type));
  Prepared& p = prepared_for(types);
  load_weights(p);
  Run run{inputs, {}, std::move(outputs), {}, {}, {}, 0};
  run.pool.resize(p.plan.buffers.size());
  run.staged.resize(p.plan.buffers.size());
  run.outputs.resize(p.bound.outputs.size());
  const bool host = device_.host_memory();
  for (size_t i = 0; i < p.plan.buffers.size(); ++i) {
    const Buffer& b = p.plan.buffers[i];
    if (b.kind != BufferKind::input && b.kind != BufferKind::output) continue;
    if (b.alias_of >= 0) continue;
    const auto index = static_cast<size_t>(b.index);
    if (b.kind == BufferKind::output && !(run.outputs[index].has_value() && run.outputs[index].type() == p.bound.outputs[index]->type))
      run.outputs[index] = Tensor(p.bound.outputs[index]->type);
    const Tensor* t = b.kind == BufferKind::input ? inputs[index] : &run.outputs[index];
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
  for (size_t s = 0; s < p.plan.steps.size(); ++s) run_step(p, run, s);
  finish_outputs(p, run, outputs);
  pool_peak_bytes_ = std::max(pool_peak_bytes_, run.pool_peak_bytes);
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
    const auto plain = device_.make_reorder(value.type, layout, nullptr);
    const auto into = device_.allocate(std::max<int64_t>(value.type.bytes(), kAlignment));
    const auto scratch = device_.allocate(std::max<int64_t>(plain->workspace_bytes, kAlignment));
    const void* from = p.pointers[b];
    void* to = into->data();
    plain->launch({{&from, 1}, {&to, 1}, scratch->data(), device_.queue()});
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
      made[i] = node.inputs[i]->constant && node.inputs[i]->type.dtype == DType::string ? node.inputs[i]->constant->clone() : on_host(device_, node.inputs[i]->type, p.pointers[b]);
      in[i] = &made[i];
    }
  }
  std::vector<Tensor> out;
  if (node.op->subgraphs().empty()) out = evaluate(*node.op, in);
  else out = node.op->run_bodies(in, [this](const Graph& body, const std::vector<const Tensor*>& inputs) { return run_body(body, inputs); });
  require(out.size() == node.outputs.size(), ErrorKind::internal, "gave ", out.size(), " outputs, not ", node.outputs.size());
  for (size_t i = 0; i < out.size(); ++i) {
    if (s.out[i] < 0) continue;
    const auto b = static_cast<size_t>(s.out[i]);
    require(p.plan.buffers[b].kind == BufferKind::pool, ErrorKind::internal, "a result that depends on data has a planned buffer");
    const TensorType& declared = node.outputs[i]->type;
    if (declared.is_static() && declared.dtype != DType::string)
      require(out[i].type().shape == declared.shape && out[i].dtype() == declared.dtype, ErrorKind::model, "gives ", out[i].type().text(), " where ", declared.text(), " was inferred");
    run.pool_bytes += tensor_bytes(out[i]) - tensor_bytes(run.pool[b]);
    run.pool[b] = std::move(out[i]);
  }
  run.pool_peak_bytes = std::max(run.pool_peak_bytes, run.pool_bytes);
  const int64_t needed = p.plan.memory.peak_bytes + run.pool_bytes;
  require(!options_.memory_limit_bytes || needed <= *options_.memory_limit_bytes, ErrorKind::does_not_fit, "results whose size depends on data need ", run.pool_bytes,
          " bytes beside the plan's ", p.plan.memory.peak_bytes, ", the memory limit is ", options_.memory_limit_bytes.value_or(0));
  for (size_t b = 0; b < run.pool.size(); ++b)        // what no later step reads is freed
    if (p.plan.buffers[b].kind == BufferKind::pool && !p.is_result[b] && p.plan.buffers[b].last <= static_cast<int64_t>(index) && run.pool[b].has_value() && p.plan.buffers[b].first < static_cast<int64_t>(index))
      run.pool_bytes -= tensor_bytes(run.pool[b]), run.pool[b] = Tensor();
}

std::vector<Tensor> Executor::run_body(const Graph& body, const std::vector<const Tensor*>& inputs) {
  auto& executor = bodies_[&body];
  if (!executor) {
    // Bodies belong to ops, which the network's graph keeps alive. They get what the plans around them leave of the memory limit.
    ExecutorOptions left = options_;
    if (left.memory_limit_bytes) *left.memory_limit_bytes -= largest_.peak_bytes - largest_.reserve_bytes;
    executor.reset(new Executor(GraphPtr(graph_, &body), device_, left, weights_, widened_));
    if (tap_) executor->set_tap(tap_, wants_);
  }
  return executor->run(inputs);
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
    if (const auto it = pooled.find(v); it != pooled.end()) { run.outputs[i] = run.pool[it->second].clone(); continue; }
    const bool planned = v->type.is_static() && v->type.dtype != DType::string;
    if (planned) continue;
    const auto at = std::find(p.bound.inputs.begin(), p.bound.inputs.end(), v);
    if (at != p.bound.inputs.end()) run.outputs[i] = run.inputs[static_cast<size_t>(at - p.bound.inputs.begin())]->clone();
    else if (v->constant) run.outputs[i] = v->constant->clone();
  }
  outputs = std::move(run.outputs);
}

MemorySummary Executor::memory() const {
  MemorySummary sum = largest_;
  for (const auto& [graph, body] : bodies_) {
    const MemorySummary inner = body->memory();
    sum.weights_bytes += inner.weights_bytes;
    sum.arena_bytes += inner.arena_bytes;
    sum.arena_lower_bound_bytes += inner.arena_lower_bound_bytes;
    sum.peak_bytes += inner.peak_bytes - inner.reserve_bytes;
  }
  sum.peak_bytes += pool_peak_bytes_;
  return sum;
}

}  // namespace onecard
