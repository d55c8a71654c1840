#include "lib/flow/compression/judge.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "lib/base/in_order.h"
#include "lib/flow/compression/rows.h"

namespace onecard {

namespace {

constexpr size_t kMostHeldOut = 16, kMostHeldOutOfStream = 48, kFewest = 8;
constexpr size_t kCarryLookedAt = 4;
constexpr double kBest = 120;    // dB: equal
constexpr double kLost = 1e12;   // an error: answers of another shape
constexpr double kQuiet = 0.01;  // of the mean signal

bool same_numbers(const Tensor& a, const Tensor& b) {
  if (!a.has_value() || !b.has_value() || a.dtype() != DType::f32 || b.dtype() != DType::f32 || a.dims() != b.dims() || a.elements() == 0)
    return false;
  double difference = 0, power = 0;
  for (int64_t i = 0; i < a.elements(); ++i) {
    const double x = a.data<float>()[static_cast<size_t>(i)], y = b.data<float>()[static_cast<size_t>(i)];
    difference += (x - y) * (x - y);
    power += y * y;
  }
  return power > 0 && difference <= 1e-6 * power;
}

}  // namespace

namespace {

// Whether tensors of these types can be one state that goes out and comes in again.
bool may_be_same(const TensorType& out, const TensorType& in) {
  if (out.container != Container::tensor || in.container != Container::tensor || out.dtype != DType::f32 || in.dtype != DType::f32) return false;
  if (!out.shape.has_rank() || !in.shape.has_rank()) return true;
  if (out.shape.rank() != in.shape.rank()) return false;
  for (int64_t i = 0; i < out.shape.rank(); ++i)
    if (out.shape[i].is_number() && in.shape[i].is_number() && out.shape[i] != in.shape[i]) return false;
  return true;
}

}  // namespace

std::vector<const Tensor*> pointers(const Sample& sample) {
  std::vector<const Tensor*> in;
  for (const Tensor& t : sample.inputs) in.push_back(&t);
  return in;
}

SampleUse divide_samples(size_t count, SampleOrder order, size_t most_fitted) {
  SampleUse use;
  std::vector<size_t> rest;
  const size_t held = order == SampleOrder::streams ? std::min(kMostHeldOutOfStream, count / 3) : std::min(kMostHeldOut, count / 4);
  for (size_t i = 0; i < count; ++i) {
    const auto is_turn = [&](size_t step) { return i % step == (order == SampleOrder::apart ? step - 1 : 0) && use.held_out.size() < held; };
    const bool out = order == SampleOrder::streams ? i + held >= count : held > 0 && is_turn(count / held);
    (out ? use.held_out : rest).push_back(i);
  }
  if (count < kFewest) {
    rest.clear();
    use.held_out.clear();
    for (size_t i = 0; i < count; ++i) rest.push_back(i), use.held_out.push_back(i);
  }
  const size_t fitted = std::min(most_fitted, rest.size());
  for (size_t i = 0; i < fitted; ++i) use.fitted.push_back(rest[i * rest.size() / fitted]);
  return use;
}

Carry find_carry(Executor& original, const SampleSource& samples) {
  Carry found;
  const Graph& graph = original.graph();
  const auto alike = [&](const Value* out, const Value* in) { return may_be_same(out->type, in->type); };
  const bool possible = std::any_of(graph.outputs.begin(), graph.outputs.end(), [&](const Value* out) {
    return std::any_of(graph.inputs.begin(), graph.inputs.end(), [&](const Value* in) { return alike(out, in); });
  });
  if (!possible || samples.size() < kCarryLookedAt) return found;
  std::vector<std::vector<int>> matches(graph.outputs.size(), std::vector<int>(graph.inputs.size(), 0));
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < kCarryLookedAt; ++i) {
    const Sample sample = samples.read(i);
    for (size_t o = 0; o < outputs.size(); ++o)
      for (size_t k = 0; k < sample.inputs.size(); ++k) matches[o][k] += same_numbers(sample.inputs[k], outputs[o]);
    outputs = original.run(pointers(sample));
  }
  for (size_t o = 0; o < matches.size(); ++o)
    for (size_t k = 0; k < matches[o].size(); ++k)
      if (matches[o][k] + 1 >= static_cast<int>(kCarryLookedAt)) found.pairs.emplace_back(graph.outputs[o]->name, graph.inputs[k]->name);
  return found;
}

namespace {

// Everything that reads v, or reads what is computed from it, made before the end of the graph.
bool others_depend_on(const Graph& graph, const Value* v) {
  std::set<const Value*> reached{v};
  for (const Node& node : graph.nodes())
    if (std::any_of(node.inputs.begin(), node.inputs.end(), [&](const Value* in) { return in && reached.contains(in); }))
      reached.insert(node.outputs.begin(), node.outputs.end());
  return std::any_of(graph.outputs.begin(), graph.outputs.end(), [&](const Value* o) { return o != v && reached.contains(o); });
}

// Per output whether it is a state: one that is carried on, or one that could be and from which other outputs are computed, as the keys and values of
// a language model. None where nothing else would be left.
std::vector<bool> states_of(const Graph& graph, const Carry& carry) {
  std::vector<bool> is_state;
  std::vector<bool> taken(graph.inputs.size());
  for (const Value* out : graph.outputs) {
    bool state = std::any_of(carry.pairs.begin(), carry.pairs.end(), [&](const auto& pair) { return pair.first == out->name; });
    for (size_t i = 0; i < graph.inputs.size() && !state && carry.pairs.empty(); ++i) {
      if (taken[i] || !may_be_same(out->type, graph.inputs[i]->type) || !others_depend_on(graph, out)) continue;
      state = taken[i] = true;
    }
    is_state.push_back(state);
  }
  if (std::all_of(is_state.begin(), is_state.end(), [](bool s) { return s; })) is_state.assign(is_state.size(), false);
  return is_state;
}

}  // namespace

Judge::Judge(const Team& original, const SampleSource& samples, std::vector<size_t> which, Carry carry)
    : samples_(samples), which_(std::move(which)), carry_(std::move(carry)) {
  carry_.starts = {0};
  is_state_ = states_of(original.graph(), carry_);
  wanted_ = answers(original, which_.size());
}

std::vector<std::vector<Tensor>> Judge::answers(const Team& team, size_t most) const {
  std::vector<std::vector<Tensor>> all;
  const auto answer = [&](int worker, int64_t i) {
    Sample sample = samples_.read(which_[static_cast<size_t>(i)]);
    if (!carry_.pairs.empty() && i > 0) apply_carry(carry_, team.graph(), static_cast<size_t>(i), all.back(), sample);
    return team.member(worker).run(pointers(sample));
  };
  const int at_once = carry_.pairs.empty() ? team.workers() : 1;  // one that waits for the one before cannot run beside it
  in_order(static_cast<int64_t>(std::min(most, which_.size())), at_once, answer,
           [&](int64_t, std::vector<Tensor> outputs) { all.push_back(std::move(outputs)); });
  return all;
}

namespace {

// Sums of squares of an answer and of what it is off by.
struct Power {
  double signal = 0, error = 0;
};
Power power_of(const Tensor& got, const Tensor& wanted) {
  const Tensor a = as_real(got), b = as_real(wanted);
  Power sum;
  for (int64_t k = 0; k < a.elements(); ++k) {
    const double x = a.data<float>()[static_cast<size_t>(k)], y = b.data<float>()[static_cast<size_t>(k)];
    if (!std::isfinite(y)) continue;
    sum.error += std::isfinite(x) ? (x - y) * (x - y) : y * y + 1;
    sum.signal += y * y;
  }
  return sum;
}

// The mean error of the parts, each beside its own signal: one that is lost counts as lost and no more, so that it does not decide alone; a
// quiet one counts beside a little of the others' signal.
double error_of(const std::vector<Power>& parts) {
  double signal = 0, share = 0;
  for (const Power& p : parts) signal += p.signal / static_cast<double>(parts.size());
  if (signal == 0) return 0;
  for (const Power& p : parts) share += std::min(p.error / (p.signal + kQuiet * signal), 1.0) / static_cast<double>(parts.size());
  return share;
}

}  // namespace

std::vector<double> Judge::errors(const Team& candidate, size_t most) const {
  const auto got = answers(candidate, most);
  std::vector<double> errors;
  for (size_t o = 0; o < candidate.graph().outputs.size(); ++o) {
    if (is_state_[o]) continue;
    std::vector<Power> parts;
    for (size_t i = 0; i < got.size(); ++i) {
      const Tensor &g = got[i][o], &w = wanted_[i][o];
      if (!g.has_value() || g.type().container != Container::tensor || !is_float(g.dtype())) continue;
      if (g.dims() != w.dims()) return {kLost};
      const Power p = power_of(g, w);
      if (carry_.pairs.empty() || parts.empty()) parts.push_back(p);
      else parts[0].signal += p.signal, parts[0].error += p.error;  // a stream is one sample
    }
    if (std::all_of(parts.begin(), parts.end(), [](const Power& p) { return p.signal == 0; })) continue;
    errors.push_back(error_of(parts));
  }
  return errors;
}

double Judge::decibels(const Team& candidate, size_t most) const {
  const std::vector<double> all = errors(candidate, most);
  double sum = 0;
  for (const double e : all) sum += std::clamp(-10 * std::log10(std::max(e, 1e-12)), -kBest, kBest);
  return all.empty() ? kBest : sum / static_cast<double>(all.size());
}

double Judge::error(const Team& candidate, size_t most) const {
  const std::vector<double> all = errors(candidate, most);
  return all.empty() ? 0 : std::accumulate(all.begin(), all.end(), 0.0) / static_cast<double>(all.size());
}

}  // namespace onecard
