#include "lib/flow/compression/input_norms.h"

#include <cmath>
#include <set>

#include "lib/base/in_order.h"
#include "lib/flow/compression/judge.h"
#include "lib/flow/compression/layer.h"
#include "lib/flow/compression/rows.h"
#include "lib/ops/matmul.h"

namespace onecard {

namespace {

// By value: the sum of squares of each channel.
using Squares = std::map<std::string, std::vector<double>>;

void add(Squares& to, const std::string& name, const Tensor& t) {
  if (!t.has_value() || t.type().container != Container::tensor || !is_float(t.dtype()) || t.rank() < 1 || t.elements() == 0) return;
  const Tensor real = as_real(t);
  std::vector<double>& sums = to[name];
  sums.resize(static_cast<size_t>(t.dims().back()), 0.0);
  size_t channel = 0;
  for (const float v : real.data<float>()) {
    if (std::isfinite(v)) sums[channel] += static_cast<double>(v) * v;
    if (++channel == sums.size()) channel = 0;
  }
}

std::set<std::string> inputs_of_products(const Graph& network) {
  std::set<std::string> names;
  for (const Layer& l : find_layers(network))
    if (l.node->as<MatMul>() && !l.x->constant) names.insert(l.x->name);
  return names;
}

}  // namespace

InputNorms input_norms(const Team& network, const SampleSource& samples, const std::vector<size_t>& chosen) {
  const std::set<std::string> wanted = inputs_of_products(network.graph());
  const auto look = [&](int worker, int64_t i) {
    const Sample sample = samples.read(chosen[static_cast<size_t>(i)]);
    Squares seen;
    const auto take = [&](const std::string& name, const Tensor& t) {
      if (wanted.contains(name)) add(seen, name, t);
    };
    Executor& executor = network.member(worker);
    executor.set_tap([&](const Value& v, const Tensor& t) { take(v.name, t); }, [&](const Value& v) { return wanted.contains(v.name); });
    for (size_t k = 0; k < sample.inputs.size(); ++k) take(network.graph().inputs[k]->name, sample.inputs[k]);
    executor.run(pointers(sample));
    executor.set_tap(nullptr);
    return seen;
  };
  Squares all;
  in_order(static_cast<int64_t>(chosen.size()), network.workers(), look, [&](int64_t, Squares seen) {
    for (const auto& [name, squares] : seen) {
      std::vector<double>& to = all[name];
      to.resize(squares.size(), 0.0);
      for (size_t c = 0; c < squares.size(); ++c) to[c] += squares[c];
    }
  });
  InputNorms norms;
  for (const auto& [name, squares] : all)
    for (const double s : squares) norms[name].push_back(static_cast<float>(std::sqrt(s)));
  return norms;
}

double share_of_products(const Graph& network) {
  double products = 0, elements = 0;
  for (const Layer& l : find_layers(network)) {
    const auto here = static_cast<double>(l.weight_elements());
    elements += here;
    if (l.node->as<MatMul>()) products += here;
  }
  return elements > 0 ? products / elements : 0;
}

}  // namespace onecard
