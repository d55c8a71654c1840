#include <algorithm>

#include "lib/base/parallel.h"
#include "lib/ops/body_types.h"
#include "lib/runtime/executor_state.h"

namespace onecard {

namespace {

bool same_types(const std::vector<TensorType>& a, const std::vector<TensorType>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (!(a[i] == b[i]) && !(a[i].container != Container::tensor && a[i].container == b[i].container)) return false;
  return true;
}

// `sum` beside what `more` needs: the reserve is the device's own and counts once.
void add(MemorySummary& sum, const MemorySummary& more) {
  sum.weights_bytes += more.weights_bytes;
  sum.arena_bytes += more.arena_bytes;
  sum.arena_lower_bound_bytes += more.arena_lower_bound_bytes;
  sum.workspace_bytes = std::max(sum.workspace_bytes, more.workspace_bytes);
  sum.io_bytes += more.io_bytes;
  sum.pool_bytes += more.pool_bytes;
  sum.staging_bytes += more.staging_bytes;
  sum.peak_bytes = sum.weights_bytes + sum.arena_bytes + sum.io_bytes + sum.pool_bytes + sum.staging_bytes + sum.reserve_bytes;
}

// What bodies need that run one after another: their weights stay, the rest is used again.
void follow(MemorySummary& sum, const MemorySummary& next) {
  sum.weights_bytes += next.weights_bytes;
  sum.arena_bytes = std::max(sum.arena_bytes, next.arena_bytes);
  sum.arena_lower_bound_bytes = std::max(sum.arena_lower_bound_bytes, next.arena_lower_bound_bytes);
  sum.workspace_bytes = std::max(sum.workspace_bytes, next.workspace_bytes);
  sum.io_bytes = std::max(sum.io_bytes, next.io_bytes);
  sum.pool_bytes = std::max(sum.pool_bytes, next.pool_bytes);
  sum.staging_bytes = std::max(sum.staging_bytes, next.staging_bytes);
  sum.peak_bytes = sum.weights_bytes + sum.arena_bytes + sum.io_bytes + sum.pool_bytes + sum.staging_bytes;
}

// A graph and the bodies it runs do not fit together.
[[noreturn]] void fail_together(int64_t graph_bytes, int64_t body_bytes, int64_t limit) {
  const int64_t smallest = graph_bytes + body_bytes;
  std::ostringstream what;
  what << "the run needs at least " << smallest << " bytes, the memory limit is " << limit << ": " << graph_bytes << " for the graph, " << body_bytes
       << " for the bodies it runs; give --memory-limit " << smallest << " or more";
  Error e(ErrorKind::does_not_fit, what.str(), ErrorScope::text());
  e.smallest_feasible_bytes = smallest;
  throw e;
}

bool is_known(const TensorType& t) { return t.container == Container::none || (t.is_static() && t.dtype != DType::string); }

}  // namespace

const Plan& Executor::prepare(const std::vector<TensorType>& inputs) { return prepared_for(inputs).plan; }

Executor& Executor::body(const Graph& graph) {
  auto& executor = bodies_[&graph];
  if (!executor) {
    // Bodies belong to ops, which the network's graph keeps alive.
    executor.reset(new Executor(GraphPtr(graph_, &graph), device_, shared_, depth_ + 1));
    if (tap_) executor->set_tap(tap_, wants_);
  }
  return *executor;
}

// What the body needs for these inputs: as it likes it best, or at the least.
MemorySummary Executor::body_need(const Graph& graph, const std::vector<TensorType>& types, Squeeze squeeze) {
  Executor& inner = body(graph);
  inner.limit_ = squeeze == Squeeze::no ? std::nullopt : std::optional<int64_t>(0);
  try {
    return inner.prepared_for(types).total;
  } catch (const Error& e) {
    if (e.kind != ErrorKind::does_not_fit || !e.smallest_feasible_bytes || squeeze == Squeeze::no) throw;
    inner.limit_ = e.smallest_feasible_bytes;
  }
  return inner.prepared_for(types).total;
}

MemorySummary Executor::bodies_need(const Graph& bound, Squeeze squeeze) {
  MemorySummary sum;
  for (const Node& n : bound.nodes()) {
    const auto* holder = dynamic_cast<const HoldsBodies*>(n.op.get());
    if (!holder) continue;
    MemorySummary most;
    try {
      const auto infos = input_infos(n.inputs);
      const auto inputs = holder->body_inputs(InferContext(infos));
      const auto graphs = n.op->subgraphs();
      for (size_t i = 0; i < graphs.size(); ++i) {
        if (!std::all_of(inputs[i].begin(), inputs[i].end(), is_known)) continue;
        try {
          const MemorySummary one = body_need(*graphs[i], inputs[i], squeeze);
          if (one.peak_bytes > most.peak_bytes) most = one;
        } catch (const Error& e) {
          if (e.kind != ErrorKind::model) throw;  // impossible for these sizes: an error if it is taken
        }
      }
    } catch (const Error& e) {
      if (e.kind != ErrorKind::model) throw;
    }
    follow(sum, most);
  }
  return sum;
}

// Plans the graph beside what its bodies need, which are squeezed where the limit asks for it.
void Executor::plan_under_limit(Prepared& made) {
  PlanOptions options;
  options.threads = thread_count();
  MemorySummary inner = bodies_need(made.bound, Squeeze::no);
  const auto with = [&](const MemorySummary& bodies) {
    if (limit_) options.memory_limit_bytes = *limit_ - bodies.peak_bytes;
    made.plan = make_plan(made.bound, device_, options);
    inner = bodies;
  };
  try {
    with(inner);
  } catch (const Error& e) {
    if (e.kind != ErrorKind::does_not_fit || !e.smallest_feasible_bytes || inner.peak_bytes == 0) throw;
    const MemorySummary least = bodies_need(made.bound, Squeeze::yes);
    try {
      with(least);
    } catch (const Error& tight) {
      if (tight.kind != ErrorKind::does_not_fit || !tight.smallest_feasible_bytes) throw;
      fail_together(*tight.smallest_feasible_bytes, least.peak_bytes, *limit_);
    }
  }
  made.total = made.plan.memory;
  add(made.total, inner);
}

std::vector<Tensor> Executor::run_body(const Prepared& p, const Graph& graph, const std::vector<const Tensor*>& inputs) {
  Executor& inner = body(graph);
  // It gets what the plan around it leaves of the limit; the device's reserve is in both.
  const int64_t around = p.plan.memory.peak_bytes - p.plan.memory.reserve_bytes;
  inner.limit_ = limit_;
  if (limit_) *inner.limit_ -= around;
  try {
    std::vector<Tensor> outputs = inner.run(inputs);
    MemorySummary together = p.plan.memory;  // of sizes that could not be known before
    add(together, inner.largest_);
    if (together.peak_bytes > largest_.peak_bytes) largest_ = together;
    return outputs;
  } catch (const Error& e) {
    if (!limit_ || e.kind != ErrorKind::does_not_fit || !e.smallest_feasible_bytes) throw;
    fail_together(around, *e.smallest_feasible_bytes, *limit_);
  }
}

Executor::Prepared& Executor::prepared_for(const std::vector<TensorType>& inputs) {
  for (auto it = cache_.begin(); it != cache_.end(); ++it) {
    if (!same_types(it->types, inputs)) continue;
    if (limit_ && it->total.peak_bytes > *limit_) {  // made when more was left for it
      cache_.erase(it);
      break;
    }
    cache_.splice(cache_.begin(), cache_, it);
    return cache_.front();
  }
  require(inputs.size() == graph_->inputs.size(), ErrorKind::model, "the model takes ", graph_->inputs.size(), " inputs, ", inputs.size(),
          " were given");
  for (size_t i = 0; i < inputs.size(); ++i) check_input(*graph_->inputs[i], inputs[i]);
  Prepared made;
  made.types = inputs;
  BindOptions bind_options;
  bind_options.computes = [this](DType t) { return device_.computes(t); };
  bind_options.widened = &shared_->weights->widened;
  {
    const std::lock_guard lock(shared_->weights->binding);
    made.bound = bind_graph(*graph_, inputs, bind_options);
  }
  place(made.bound, device_, thread_count());
  verify(made.bound);
  plan_under_limit(made);
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
  if (made.total.peak_bytes > largest_.peak_bytes) largest_ = made.total;
  if (cache_.size() >= kMaxCachedPlans) {
    cache_.pop_back();
    shared_->weights->store.drop_unused();
  }
  cache_.push_front(std::move(made));
  return cache_.front();
}

// Plans, weights and arenas that no run in progress needs.
void Executor::release_idle() {
  const size_t kept = running_ ? 1 : 0;  // a running plan is the one used last
  while (cache_.size() > kept) cache_.pop_back();
  for (auto& [graph, inner] : bodies_) inner->release_idle();
  if (depth_ > 0) return;
  shared_->weights->store.drop_unused();
  for (auto& [depth, arena] : shared_->arenas)
    if (arena.running == 0) arena.release();
}

void Executor::load_weights(Prepared& p) {
  Shared::Arena& arena = shared_->arenas[depth_];
  const int64_t needed = std::max<int64_t>(p.plan.arena_bytes, kAlignment);
  // Under a limit it is as large as the plan asks, for others count on the rest.
  if (!arena.buffer || arena.buffer->bytes() < needed || (shared_->account->limited() && arena.buffer->bytes() > needed)) {
    arena.release();
    ++arena.made;
    arena.charge = shared_->account->take(Holds::arena, p.plan.arena_bytes);
    arena.buffer = device_.allocate(needed);
  }
  // All or none: one that cannot be loaded ends this run, not the next.
  if (p.weights.size() != p.plan.weights.size()) p.weights = shared_->weights->store.get(p.plan.weights);
  if (p.arena_made == arena.made) return;
  for (size_t i = 0; i < p.plan.buffers.size(); ++i) {
    const Buffer& b = p.plan.buffers[i];
    if (b.kind == BufferKind::weight) p.pointers[i] = p.weights[static_cast<size_t>(b.index)]->data;
    if (b.kind == BufferKind::arena) p.pointers[i] = static_cast<std::byte*>(arena.buffer->data()) + b.offset;
  }
  p.arena_made = arena.made;
}

MemorySummary Executor::memory() const {
  const MemorySummary& seen = shared_->account->at_peak();
  if (depth_ > 0 || seen.peak_bytes <= largest_.peak_bytes) return largest_;
  // More was held than could be planned: results of a size that depends on data, or weights in the forms of several plans.
  MemorySummary sum = seen;
  sum.arena_lower_bound_bytes = std::min(largest_.arena_lower_bound_bytes, sum.arena_bytes);
  sum.workspace_bytes = largest_.workspace_bytes;
  return sum;
}

}  // namespace onecard
