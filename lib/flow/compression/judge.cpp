#include "lib/flow/compression/judge.h"

#include <algorithm>
#include <cmath>

#include "lib/flow/compression/rows.h"

namespace onecard {

namespace {

constexpr size_t kMostHeldOut = 16, kMostHeldOutOfStream = 48, kMostFitted = 24, kFewest = 8;
constexpr size_t kCarryLookedAt = 4;
constexpr double kBest = 120;  // dB: equal

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

std::vector<const Tensor*> pointers(const Sample& sample) {
  std::vector<const Tensor*> in;
  for (const Tensor& t : sample.inputs) in.push_back(&t);
  return in;
}

}  // namespace

SampleUse divide_samples(size_t count, SampleOrder order) {
  SampleUse use;
  std::vector<size_t> rest;
  const size_t held = order == SampleOrder::streams ? std::min(kMostHeldOutOfStream, count / 3) : std::min(kMostHeldOut, count / 4);
  for (size_t i = 0; i < count; ++i) {
    const bool out =
        order == SampleOrder::streams ? i + held >= count : held > 0 && i % (count / held) == count / held - 1 && use.held_out.size() < held;
    (out ? use.held_out : rest).push_back(i);
  }
  if (count < kFewest) {
    rest.clear();
    use.held_out.clear();
    for (size_t i = 0; i < count; ++i) rest.push_back(i), use.held_out.push_back(i);
  }
  const size_t fitted = std::min(kMostFitted, rest.size());
  for (size_t i = 0; i < fitted; ++i) use.fitted.push_back(rest[i * rest.size() / fitted]);
  return use;
}

Carry find_carry(const GraphPtr& original, Device& device, const SampleSource& samples) {
  Carry found;
  if (samples.size() < kCarryLookedAt) return found;
  Executor executor(original, device);
  std::vector<std::vector<int>> matches(original->outputs.size(), std::vector<int>(original->inputs.size(), 0));
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < kCarryLookedAt; ++i) {
    const Sample sample = samples.read(i);
    for (size_t o = 0; o < outputs.size(); ++o)
      for (size_t k = 0; k < sample.inputs.size(); ++k) matches[o][k] += same_numbers(sample.inputs[k], outputs[o]);
    outputs = executor.run(pointers(sample));
  }
  for (size_t o = 0; o < matches.size(); ++o)
    for (size_t k = 0; k < matches[o].size(); ++k)
      if (matches[o][k] + 1 >= static_cast<int>(kCarryLookedAt)) found.pairs.emplace_back(original->outputs[o]->name, original->inputs[k]->name);
  return found;
}

Judge::Judge(GraphPtr original, Device& device, const SampleSource& samples, std::vector<size_t> held_out, Carry carry)
    : device_(device), samples_(samples), held_out_(std::move(held_out)), carry_(std::move(carry)) {
  carry_.starts = {0};
  wanted_ = answers(original, held_out_.size());
}

std::vector<std::vector<Tensor>> Judge::answers(const GraphPtr& graph, size_t most) const {
  Executor executor(graph, device_);
  std::vector<std::vector<Tensor>> all;
  for (size_t i = 0; i < std::min(most, held_out_.size()); ++i) {
    Sample sample = samples_.read(held_out_[i]);
    if (!carry_.pairs.empty() && i > 0) apply_carry(carry_, *graph, i, all.back(), sample);
    all.push_back(executor.run(pointers(sample)));
  }
  return all;
}

double Judge::decibels(const GraphPtr& candidate, size_t most) const {
  const auto got = answers(candidate, most);
  double sum = 0;
  int64_t outputs = 0;
  for (size_t o = 0; o < candidate->outputs.size(); ++o) {
    double error = 0, power = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      const Tensor &g = got[i][o], &w = wanted_[i][o];
      if (!g.has_value() || g.type().container != Container::tensor || !is_float(g.dtype())) continue;
      if (g.dims() != w.dims()) return -kBest;
      const Tensor a = as_real(g), b = as_real(w);
      for (int64_t k = 0; k < a.elements(); ++k) {
        const double x = a.data<float>()[static_cast<size_t>(k)], y = b.data<float>()[static_cast<size_t>(k)];
        if (!std::isfinite(y)) continue;
        error += std::isfinite(x) ? (x - y) * (x - y) : y * y + 1;
        power += y * y;
      }
    }
    if (power == 0) continue;
    sum += std::clamp(10 * std::log10(power / std::max(error, power * 1e-12)), -kBest, kBest);
    ++outputs;
  }
  return outputs == 0 ? kBest : sum / static_cast<double>(outputs);
}

}  // namespace onecard
