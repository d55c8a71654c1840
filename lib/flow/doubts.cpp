#include "lib/flow/doubts.h"

#include <algorithm>
#include <cstdio>

#include "lib/flow/one_thread.h"
#include "lib/flow/sample_look.h"

namespace onecard {

namespace {

constexpr double kLost = 0.9;  // cosine

// What somebody may do whose network has lost its accuracy.
std::string advice_for(const OptimizeRequest& request) {
  std::string text = "See what it costs (onecard diff-accuracy --labels)";
  if (!request.guard) text += ", keep the layers that cost most as they were (--min-sqnr 20)";
  if (request.activations == ActivationPrecision::int8) {
    if (request.calibration && *request.calibration != CalibrationMethod::automatic) text += ", let recipes compete (--calibration auto)";
    text += ", or leave what flows between layers in float (--precision int8-weights)";
  }
  if (request.prune.amount > 0) text += ", or ask for fewer zeros (a smaller --prune)";
  return text;
}

}  // namespace

bool draws_random_numbers(const Graph& g) {
  return std::any_of(g.nodes().begin(), g.nodes().end(), [](const Node& n) {
    const auto bodies = n.op->subgraphs();
    return !n.op->is_pure() || std::any_of(bodies.begin(), bodies.end(), [](const GraphPtr& body) { return draws_random_numbers(*body); });
  });
}

bool is_lossy(const OptimizeRequest& request) {
  return request.weights != WeightPrecision::keep || request.activations != ActivationPrecision::keep || request.floats || request.prune.amount > 0;
}

bool is_measured(const OptimizeRequest& request) { return request.samples && is_lossy(request); }

void look_for_doubts(const OptimizeRequest& request, const Sides& sides, Device& device, const Progress& progress, OptimizeResult& result) {
  if (!is_measured(request)) return;
  progress("held-out samples", 0);
  const int workers = workers_of(device);
  const OneThread one;
  const Carry carry{request.carry, request.carry_start};
  result.warnings = sample_warnings(look_at_samples(*request.source, *request.samples, carry, workers));
  if (draws_random_numbers(*request.source)) return;  // no answer of it is the same twice
  try {
    result.held_out = measure_held_out(sides, device, *request.samples, carry, result.sample_use);
  } catch (const Error& e) {
    if (e.kind != ErrorKind::model) throw;
    result.warnings.push_back(std::string("the accuracy could not be measured: ") + e.what());
    return;
  }
  if (const int64_t held = result.held_out->samples; !result.held_out->fitted_too && held < static_cast<int64_t>(kFewHeldOut))
    result.notes.push_back("the distance was measured on " + std::to_string(held) + (held == 1 ? " sample" : " samples") +
                           ", which say little: others may be answered much farther from the original; of more samples more are held out");
  if (auto w = accuracy_warning(*result.held_out, advice_for(request))) result.warnings.push_back(std::move(*w));
}

void look_at_answer(const OptimizeRequest& request, OptimizeResult& result) {
  if (!is_lossy(request) || request.samples) return;
  const auto lost = std::find_if(result.self_check.begin(), result.self_check.end(), [](const OutputDistance& d) { return !(d.cosine >= kLost); });
  if (lost == result.self_check.end()) return;
  char cosine[32];
  std::snprintf(cosine, sizeof cosine, "%.3g", lost->cosine);
  result.warnings.push_back("the answer to a random input is far from the original's: '" + lost->name + "' cosine " + cosine +
                            "; give samples (--data PATH) to see what is lost, and to lose less");
}

}  // namespace onecard
