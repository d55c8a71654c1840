#include "lib/flow/optimize.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <set>

#include "lib/base/in_order.h"
#include "lib/flow/doubts.h"
#include "lib/flow/one_thread.h"
#include "lib/flow/pass_check.h"
#include "lib/flow/read_pages.h"
#include "lib/flow/run_passes.h"
#include "lib/ops/registry.h"
#include "lib/runtime/compare.h"
#include "lib/runtime/executor.h"
#include "lib/runtime/sizes.h"
#include "lib/runtime/weights.h"

namespace onecard {

namespace {

constexpr uint64_t kSelfCheckSeed = 1;
constexpr double kLost = 0.9;                        // cosine
constexpr int64_t kMostCompared = int64_t{2} << 30;  // bytes of the original's weights that are run without being asked
constexpr int64_t kSmallSample = int64_t{64} << 10,
                  kSampleShare = 20;  // a sample of more bytes, and of more than a 20th of the weights, is not stored

std::vector<const Tensor*> pointers(const std::vector<Tensor>& tensors) {
  std::vector<const Tensor*> out;
  for (const auto& t : tensors) out.push_back(&t);
  return out;
}

// The input of the self-check: a real sample when there is one.
struct CheckInput {
  std::optional<uint64_t> seed;
  std::vector<Tensor> tensors;
  std::string text;
};
CheckInput random_input(const Graph& graph, const ChosenSizes& sizes) {
  CheckInput in;
  in.seed = kSelfCheckSeed;
  in.text = "seed " + std::to_string(kSelfCheckSeed);
  for (size_t i = 0; i < sizes.inputs.size(); ++i) {
    const TensorType& t = sizes.inputs[i];
    require(t.container == Container::tensor && t.dtype != DType::string, ErrorKind::model, "input '", graph.inputs[i]->name,
            "' is no tensor of numbers");
    in.tensors.push_back(random_tensor(t, kSelfCheckSeed + i));
  }
  return in;
}
CheckInput check_input_of(const OptimizeRequest& request, const ChosenSizes& sizes) {
  CheckInput in;
  if (request.samples && request.samples->size() > 0) {
    Sample s = request.samples->read(0);
    in.tensors = std::move(s.inputs);
    in.text = "sample '" + s.name + "'";
    return in;
  }
  return random_input(*request.source, sizes);
}

double range_of(const Tensor& t) {
  double low = INFINITY, high = -INFINITY, largest = 0;
  for (int64_t i = 0; i < t.elements(); ++i)
    if (const double v = t.at(i); std::isfinite(v)) low = std::min(low, v), high = std::max(high, v), largest = std::max(largest, std::fabs(v));
  const double range = low <= high ? std::max(high - low, largest) : 0;
  return range > 0 ? range : 1;
}

// What a network says to the input of the self-check, or why it says nothing.
struct Answer {
  std::optional<std::vector<Tensor>> outputs;
  std::string why_not;
};

enum class Limited : uint8_t { no, yes /* what does not fit is raised */ };
// Planned for one thread and run on it.
Answer answer_of(Executor& executor, const CheckInput& in, Limited limited, ReadPages& pages) {
  try {
    executor.set_step_timer([&](const PlanStep& step, double) { pages.after(step); });
    {
      const OneThread one;
      executor.prepare(pointers(in.tensors));
    }
    executor.load(pointers(in.tensors));
    const OneThread one;
    return {executor.run(pointers(in.tensors)), ""};
  } catch (const Error& e) {
    if (e.kind == ErrorKind::internal || (limited == Limited::yes && e.kind == ErrorKind::does_not_fit)) throw;
    return {std::nullopt, e.what()};
  }
}

// The bundle's own answer under its limit. One thread may ask for a little more than the plan for all of them.
Answer own_answer(const GraphPtr& graph, Device& device, const CheckInput& in, std::optional<int64_t> limit, ReadPages& pages) {
  const auto under = [&](std::optional<int64_t> most) {
    Executor executor(graph, device, {most});
    return answer_of(executor, in, most ? Limited::yes : Limited::no, pages);
  };
  try {
    return under(limit);
  } catch (const Error& e) {
    if (e.kind != ErrorKind::does_not_fit || !e.smallest_feasible_bytes) throw;
    return under(e.smallest_feasible_bytes);
  }
}

// What both said to the first sample when it was measured.
std::optional<std::pair<std::vector<Tensor>, Answer>> known_answers(std::optional<HeldOut>& held_out) {
  if (!held_out || !held_out->first) return std::nullopt;
  std::vector<Tensor> original;
  for (const Tensor& t : *held_out->first->original) original.push_back(t.clone());
  std::pair both(std::move(original), Answer{std::move(held_out->first->shipped), ""});
  held_out->first.reset();
  return both;
}

// Of the original and what is shipped, at the same time where the device allows it.
std::pair<Answer, Answer> both_answers(const Sides& sides, const CheckInput& in, ReadPages& pages) {
  std::vector<Answer> both;
  const int workers = std::min(2, sides.original->workers());
  const auto answer = [&](int worker, int64_t i) {
    return answer_of((i == 0 ? sides.original : sides.shipped)->member(worker), in, Limited::no, pages);
  };
  in_order(2, workers, answer, [&](int64_t, Answer a) { both.push_back(std::move(a)); });
  return {std::move(both[0]), std::move(both[1])};
}

// Plans under the limit. What runs at sizes that depend on data is seen by running alone: a limit must hold what the sample needs as well.
struct Planned {
  MemorySummary memory;
  int64_t steps_without_zeros = 0;
};
Planned plan_within(const GraphPtr& graph, Device& device, const std::vector<TensorType>& types, const std::optional<CheckInput>& in,
                    std::optional<int64_t> limit) {
  const auto planned = [&](std::optional<int64_t> most) {
    Executor planner(graph, device, {most});
    const Plan& plan = planner.prepare(types);
    const auto skips = [](const PlanStep& s) { return s.kernel.find("sparse") != std::string::npos; };
    return Planned{planner.memory(), std::count_if(plan.steps.begin(), plan.steps.end(), skips)};
  };
  if (!limit || !in) return planned(limit);
  Executor free(graph, device);
  free.prepare(types);
  const int64_t known = free.memory().peak_bytes;
  try {
    free.run(pointers(in->tensors));
  } catch (const Error& e) {
    if (e.kind == ErrorKind::internal) throw;
    return planned(limit);  // the sample cannot be run at all
  }
  const int64_t needed = free.memory().peak_bytes;
  if (needed <= known || needed <= *limit) return planned(limit);
  Error e(ErrorKind::does_not_fit,
          "the run of " + in->text + " needs " + std::to_string(needed) + " bytes, some of them of sizes that depend on data; the memory limit is " +
              std::to_string(*limit) + "; give --memory-limit " + std::to_string(needed) + " or more",
          ErrorScope::text());
  e.smallest_feasible_bytes = needed;
  throw e;
}

// The distances of the outputs go to `distances`.
SelfCheck make_self_check(const Graph& graph, CheckInput in, const std::optional<std::vector<Tensor>>& original, const std::vector<Tensor>& own,
                          std::vector<OutputDistance>& distances) {
  SelfCheck check;
  check.seed = in.seed;
  for (size_t i = 0; i < own.size(); ++i) {
    const Tensor& t = own[i];
    if (t.type().container != Container::tensor || !t.has_value() || t.dtype() == DType::string || info(t.dtype()).kind == DKind::complex) continue;
    CheckedOutput o{graph.outputs[i]->name, t.dtype(), t.dims(), range_of(t), checked_values(t, checked_count(t, own.size())), {}};
    if (original) {
      o.original = checked_values((*original)[i], checked_count((*original)[i], own.size()));
      const Comparison c = compare(t, (*original)[i]);
      distances.push_back({o.name, c.range_error, c.cosine});
    }
    check.outputs.push_back(std::move(o));
  }
  check.inputs = std::move(in.tensors);
  return check;
}

bool is_too_large(const SelfCheck& check, const Graph& graph) {
  int64_t bytes = 0;
  for (const Tensor& t : check.inputs) bytes += t.type().container == Container::tensor ? t.bytes() : 0;
  const auto is_numbers = [](const Value* v) { return v->type.container == Container::tensor && v->type.dtype != DType::string; };
  return !check.seed && std::all_of(graph.inputs.begin(), graph.inputs.end(), is_numbers) &&
         bytes > std::max(kSmallSample, constant_bytes(graph) / kSampleShare);
}

std::string manifest(const OptimizeRequest& request, const OptimizeResult& result, const ChosenSizes& sizes) {
  nlohmann::ordered_json j;
  j["format"] = 1;
  j["tool"] = "onecard 0.1";
  j["source"] = {{"name", request.source_name}, {"xxh3", request.source_hash}, {"bytes", request.source_bytes}};
  j["options"] = request.options_text;
  j["sizes"] = sizes.text();
  j["nodes_before"] = result.nodes_before;
  j["nodes_after"] = result.nodes_after;
  for (const auto& p : result.passes) j["passes"].push_back({{"name", p.name}, {"changes", p.changes}});
  for (const auto& n : result.notes) j["notes"].push_back(n);
  for (const auto& w : result.warnings) j["warnings"].push_back(w);
  if (request.memory_limit_bytes) j["memory_limit_bytes"] = *request.memory_limit_bytes;
  j["weight_bytes_source"] = result.weight_bytes_source;
  j["self_check"] = result.self_check_stored.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(result.self_check_stored);
  for (const auto& d : result.self_check) j["distance"].push_back({{"output", d.name}, {"range_error", d.range_error}, {"cosine", d.cosine}});
  return j.dump(1);
}

// One network on its way into a bundle: the steps of optimize(), in order, and what they hand on.
class Optimization {
 public:
  Optimization(OptimizeRequest request, Device& device, const Progress& progress)
      : request_(std::move(request)),
        device_(device),
        progress_(progress),
        pages_(request_.source_files),
        weights_(std::make_shared<SharedWeights>(device)) {
    request_.has_read = [this](const Tensor& t) { pages_.after(t); };
    result_.source_bytes = request_.source_bytes;
    result_.memory_limit_bytes = request_.memory_limit_bytes;
  }
  Optimization(const Optimization&) = delete;
  Optimization& operator=(const Optimization&) = delete;

  OptimizeResult run() {
    choose_input();
    optimized_ = passed();
    compare();
    forget_original();
    plan();
    std::optional<SelfCheck> check = self_check();
    write(check);
    return std::move(result_);
  }

 private:
  // Sizes to plan for, and what the self-check runs on, where the model allows any.
  void choose_input() {
    try {
      sizes_ = choose_sizes(*request_.source, request_.dims, request_.shapes);
      in_ = check_input_of(request_, sizes_);
    } catch (const Error& e) {
      if (e.kind != ErrorKind::model) throw;
      result_.self_check_skipped = e.what();
    }
    if (draws_random_numbers(*request_.source)) in_.reset(), result_.self_check_skipped = "the model draws random numbers";
    too_large_ = constant_bytes(*request_.source) > kMostCompared && !request_.samples && !request_.verify_passes;
    if (in_ && too_large_)
      result_.notes.push_back("the original was not run beside the result: its weights take more than " + std::to_string(kMostCompared >> 20) +
                              " MiB, and no samples were given (--data PATH)");
  }

  GraphPtr passed() {
    if (request_.verify_passes) {
      require(in_.has_value(), ErrorKind::model, "passes cannot be verified by numbers: ", result_.self_check_skipped);
      std::vector<Tensor> copies;
      for (const Tensor& t : in_->tensors) copies.push_back(t.clone());
      request_.pipeline.verify_numbers = make_pass_check(device_, std::move(copies));
    }
    return std::make_shared<const Graph>(run_passes(request_, in_ ? &in_->tensors : nullptr, device_, progress_, result_));
  }

  // What the original says, how far what is shipped is from it, and how long both take.
  void compare() {
    if (is_measured(request_)) {
      const Sides sides(request_.source, optimized_, device_, workers_of(device_), weights_);
      look_for_doubts(request_, sides, device_, progress_, result_);
      if (in_ && !request_.memory_limit_bytes) ask_both(sides);
    }
    if (in_ && !own_ && !too_large_) {
      progress_("original answer", 0);
      Executor executor(request_.source, device_, {std::nullopt, weights_});
      original_ = answer_of(executor, *in_, Limited::no, pages_).outputs;
    }
    pages_.release();
    if (!in_ || !is_lossy(request_) || request_.memory_limit_bytes) return;
    progress_("how long a run takes", 0);
    result_.run_times = time_runs(request_.source, optimized_, device_, in_->tensors, weights_);
  }

  void ask_both(const Sides& sides) {
    if (auto known = known_answers(result_.held_out)) {
      std::tie(original_, own_) = std::move(*known);
      return;
    }
    progress_("answers", 0);
    auto [before, after] = both_answers(sides, *in_, pages_);
    // One that could not answer beside the others is asked alone.
    if (before.outputs && after.outputs) original_ = std::move(before.outputs), own_ = std::move(after);
  }

  void forget_original() {
    request_.source.reset();
    weights_->store.drop_unused();
    pages_.release();
  }

  void plan() {
    if (sizes_.inputs.empty() && !optimized_->inputs.empty()) return;
    progress_("plan", 0);
    try {
      const Planned planned = plan_within(optimized_, device_, sizes_.inputs, in_, request_.memory_limit_bytes);
      result_.memory = planned.memory;
      result_.steps_without_zeros = planned.steps_without_zeros;
    } catch (const Error& e) {
      if (e.kind != ErrorKind::model) throw;
      result_.notes.push_back(std::string("no plan for ") + sizes_.text() + ": " + e.what());
    }
  }

  std::optional<SelfCheck> self_check() {
    if (!in_) return std::nullopt;
    std::optional<SelfCheck> check;
    if (!own_) {
      progress_("own answer", 0);
      own_ = own_answer(optimized_, device_, *in_, request_.memory_limit_bytes, pages_);
    }
    if (own_->outputs)
      result_.self_check_input = result_.self_check_stored = in_->text,
      check = make_self_check(*optimized_, std::move(*in_), original_, *own_->outputs, result_.self_check);
    else result_.self_check_skipped = own_->why_not;
    // What the original model could answer, the optimized one must: anything else is ours to mend, not to write down.
    require(check.has_value() || !original_.has_value(), ErrorKind::internal,
            "the optimized graph fails where the original model runs: ", own_->why_not);
    look_at_answer(request_, result_);
    if (!check || !is_too_large(*check, *optimized_) || sizes_.inputs.empty()) return check;
    std::vector<OutputDistance> none;
    CheckInput seeded = random_input(*optimized_, sizes_);
    const std::string text = seeded.text;
    if (const Answer a = own_answer(optimized_, device_, seeded, request_.memory_limit_bytes, pages_); a.outputs)
      check = make_self_check(*optimized_, std::move(seeded), {}, *a.outputs, none), result_.self_check_stored = text;
    return check;
  }

  void write(const std::optional<SelfCheck>& check) {
    pages_.release();
    progress_("writing", 0);
    result_.sizes = write_bundle(request_.out, *optimized_, manifest(request_, result_, sizes_), check, [&](double share) {
      pages_.release();
      progress_("writing", share);
    });
    if (is_lossy(request_) && result_.sizes.file_bytes > result_.source_bytes)
      result_.notes.push_back("the bundle is larger than the model: " + std::to_string(result_.sizes.file_bytes) + " bytes, the model has " +
                              std::to_string(result_.source_bytes));
  }

  OptimizeRequest request_;
  Device& device_;
  const Progress& progress_;
  OptimizeResult result_;
  ReadPages pages_;
  std::shared_ptr<SharedWeights> weights_;  // of all that runs without a limit once the passes are done
  ChosenSizes sizes_;
  std::optional<CheckInput> in_;
  bool too_large_ = false;  // to be run without being asked
  GraphPtr optimized_;
  std::optional<std::vector<Tensor>> original_;
  std::optional<Answer> own_;
};

}  // namespace

OptimizeResult optimize(OptimizeRequest request, Device& device, const Progress& progress) {
  return Optimization(std::move(request), device, progress).run();
}

}  // namespace onecard
