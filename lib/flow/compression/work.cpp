#include "lib/flow/compression/work.h"

#include <algorithm>

#include "lib/flow/compression/layer.h"

namespace onecard {

namespace {

constexpr double kWork = 4e11, kWorkOfRun = 2e7;  // all runs together may cost; a run costs beside its own
constexpr double kWorkOfPlan = 4e6;               // of planning one node anew, where samples have other extents than the one before
constexpr double kRowsInBody = 16;                // guessed, of each layer in a body: what it is given is known when it runs
constexpr double kReference = 40;                 // times as slow as a kernel is the reference
constexpr double kStretches = 16;                 // that must remain when more samples are taken
constexpr double kWorkOfProbes = 1.5e11, kProbes = 3;
constexpr double kFewest = 24, kMost = 512;  // samples

// Of a step that does not say: products of its layers' weights with as many rows as the results it has places for.
double work_of_reference(const Node& node) {
  double work = 0;
  const Shape& y = node.output()->type.shape;
  const int64_t places = y.elements().maybe().value_or(0);
  for (const Layer& l : layers_of(node)) {
    const int64_t hidden = y.rank() > 0 ? y[y.rank() - 1].maybe().value_or(1) : 1, columns = l.groups * (is_recurrent(l) ? hidden : l.width);
    work += 2 * static_cast<double>(l.weight_elements()) * static_cast<double>(places) / static_cast<double>(std::max<int64_t>(columns, 1));
  }
  return kReference * work;
}

}  // namespace

double work_of_run(Executor& executor, const SampleSource& samples, size_t sample) {
  const Sample example = samples.read(sample);
  std::vector<TensorType> types;
  for (const Tensor& t : example.inputs) types.push_back(t.type());
  double work = kWorkOfRun;
  const Sample other = samples.read(samples.size() - 1 - sample);
  for (size_t i = 0; i < types.size() && i < other.inputs.size(); ++i)
    if (other.inputs[i].type() != types[i]) {
      work += kWorkOfPlan * static_cast<double>(executor.graph().nodes().size());
      break;
    }
  for (const PlanStep& s : executor.prepare(types).steps)
    if (s.step) work += s.step->flops > 0 || !s.node ? s.step->flops : work_of_reference(*s.node);
  double all = 0, outside = 0;
  for (const Layer& l : find_layers(executor.graph())) all += static_cast<double>(l.weight_elements());
  for (const Node& node : executor.graph().nodes())
    if (node.op->subgraphs().empty())
      for (const Layer& l : layers_of(node)) outside += static_cast<double>(l.weight_elements());
  return work + kRowsInBody * (all - outside);
}

size_t samples_to_fit(double work_of_run) { return static_cast<size_t>(std::clamp(kWork / (2 * work_of_run * kStretches), kFewest, kMost)); }

double stretches_to_fit(double work_of_run, size_t samples) { return kWork / (2 * work_of_run * static_cast<double>(samples)); }

size_t samples_to_probe(double work_of_all) {
  if (work_of_all > kWorkOfProbes) return 0;
  return work_of_all * kProbes > kWorkOfProbes ? 1 : static_cast<size_t>(kProbes);
}

}  // namespace onecard
