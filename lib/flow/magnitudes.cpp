#include "lib/flow/magnitudes.h"

#include <algorithm>
#include <cmath>

namespace onecard {

namespace {

template <class T>
void add(std::span<const T> values, Magnitude& seen) {
  for (const T v : values) {
    const float size = std::abs(static_cast<float>(v));
    if (!std::isfinite(size)) continue;
    seen.largest = std::max(seen.largest, size);
    if (size > 0) seen.smallest = std::min(seen.smallest, size);
  }
}

void add(const Tensor& t, Magnitude& seen) {
  if (t.dtype() == DType::f32) add(t.data<float>(), seen);
  if (t.dtype() == DType::f16) add(t.data<Half>(), seen);
  if (t.dtype() == DType::bf16) add(t.data<BFloat16>(), seen);
}

// Runs the graph and takes note.
void add_magnitudes(Executor& executor, const std::vector<const Tensor*>& inputs, std::vector<Tensor>& outputs, Magnitudes& seen) {
  const auto see = [&](const std::string& name, const Tensor& t) {
    if (t.has_value() && t.type().container == Container::tensor && is_float(t.dtype())) add(t, seen[name]);
  };
  executor.set_tap([&](const Value& v, const Tensor& t) { see(v.name, t); }, [](const Value& v) { return is_float(v.type.dtype) && !v.type.quant; });
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i]) see(executor.graph().inputs[i]->name, *inputs[i]);
  executor.run(inputs, outputs);
}

std::vector<const Tensor*> pointers(const std::vector<Tensor>& tensors) {
  std::vector<const Tensor*> out;
  for (const Tensor& t : tensors) out.push_back(&t);
  return out;
}

}  // namespace

Magnitudes magnitudes_of(const GraphPtr& graph, Device& device, const SampleSource& samples, const Carry& carry,
                         const std::function<void(double)>& progress) {
  Magnitudes seen;
  Executor executor(graph, device);
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < samples.size(); ++i) {
    Sample sample = samples.read(i);
    apply_carry(carry, *graph, i, outputs, sample);
    add_magnitudes(executor, pointers(sample.inputs), outputs, seen);
    progress(static_cast<double>(i + 1) / static_cast<double>(samples.size()));
  }
  return seen;
}

Magnitudes magnitudes_of(const GraphPtr& graph, Device& device, const std::vector<Tensor>& inputs) {
  Magnitudes seen;
  Executor executor(graph, device);
  std::vector<Tensor> outputs;
  add_magnitudes(executor, pointers(inputs), outputs, seen);
  return seen;
}

}  // namespace onecard
