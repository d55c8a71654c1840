#include "lib/flow/guarded_passes.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "lib/bundle/stored_size.h"
#include "lib/flow/compression/judge.h"
#include "lib/flow/compression/layer.h"
#include "lib/flow/one_thread.h"
#include "lib/ir/every_node.h"
#include "lib/runtime/weights.h"

namespace onecard {

namespace {

bool holds_weights(const Node& node) {
  return std::any_of(node.inputs.begin(), node.inputs.end(), [](const Value* v) {
    return v && v->constant && !v->type.quant && v->constant->type().container == Container::tensor && is_float(v->type.dtype) &&
           v->constant->rank() >= 2;
  });
}

// A weight with its rows multiplied by what divides the layer's input.
ConstTensor times_divisor(const Layer& l, const ConstTensor& weight, const std::vector<float>& divisor) {
  if (divisor.empty()) return weight;
  const ConstTensor source = materialize(weight);
  Tensor out = source->clone();
  for (int64_t g = 0; g < l.groups; ++g) {
    std::vector<float> m = matrix_of(l, *source, g);
    for (size_t i = 0; i < m.size(); ++i) {
      const int64_t k = static_cast<int64_t>(i) / l.width;
      m[i] *= divisor[static_cast<size_t>(l.source == RowSource::last_axis ? k : (g * l.depth + k) / l.taps)];
    }
    put_matrix(l, m, g, out);
  }
  return std::make_shared<const Tensor>(std::move(out));
}

// The network with layers as the original has them.
class RaisedNetworks {
 public:
  RaisedNetworks(const Graph& graph, const GraphPtr& dense, const PassContext& context, const PipelineOptions& pipeline)
      : graph_(graph), dense_(dense), context_(context) {
    pipeline_.skip = pipeline.skip;
    pipeline_.only = pipeline.only;
    if (!dense_) return;
    every_node(*dense_, [&](const Graph&, const Node& node) {
      if (!node.outputs.empty()) dense_nodes_.emplace(node.output()->name, &node);
    });
    std::map<std::string, Layer> pruned;
    for (Layer& l : find_layers(graph)) pruned.emplace(l.name, l);
    for (Layer& l : find_layers(*dense_)) {
      const auto it = pruned.find(l.name);
      if (it != pruned.end() && it->second.weight_elements() == l.weight_elements() && it->second.source == l.source)
        dense_layers_.emplace(l.name, l);
    }
  }

  // Half precision changes what has no weights too.
  std::vector<std::string> layers() const {
    std::vector<std::string> names;
    every_node(graph_, [&](const Graph&, const Node& node) {
      if (!node.outputs.empty() && (context_.floats || holds_weights(node)) &&
          (!dense_ || dense_layers_.contains(node.output()->name) || !is_pruned(node)))
        names.push_back(node.output()->name);
    });
    return names;
  }

  PassContext context_with(const Raised& raised) const {
    PassContext c = context_;
    for (const auto& [name, how] : raised)
      for (const std::string& layer : {name, name + ".r"}) {
        const bool whole = how == Raise::whole || dense_layers_.contains(name + ".r");  // recurrent weights are whole or not at all
        if (dense_) unprune(layer, whole, c);
        else c.found.erase(layer);
        if (whole) c.skip_layers.push_back(layer);
      }
    return c;
  }

  // How many elements that pruning set to 0 the raised layers have again; takes them out of `moved`.
  int64_t given_back(const Raised& raised, ZeroCounts& moved) const {
    int64_t back = 0;
    for (const Layer& l : find_layers(graph_)) {
      const auto dense = dense_layers_.find(l.name);
      if (dense == dense_layers_.end() || !raised.contains(l.node->output()->name)) continue;
      const auto it = moved.find(l.name);
      back += std::max<int64_t>(0, (it == moved.end() ? zeros_of(l) : it->second) - zeros_of(dense->second));
      if (it != moved.end()) moved.erase(it);
    }
    return back;
  }

  GraphPtr build(const Raised& raised) const {
    Graph made = graph_.clone();
    PassContext c = context_with(raised);
    run_pipeline(made, c, quantize_pipeline(), pipeline_);
    return std::make_shared<const Graph>(std::move(made));
  }

 private:
  // Whether its weights differ from what stands under its name in the dense network.
  bool is_pruned(const Node& node) const {
    const auto same = dense_nodes_.find(node.output()->name);
    if (same == dense_nodes_.end() || same->second->inputs.size() != node.inputs.size()) return true;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const Value *a = node.inputs[i], *b = same->second->inputs[i];
      if (!a || !a->constant) continue;
      if (!b || !b->constant || (a->constant != b->constant && !identical(*materialize(a->constant), *materialize(b->constant)))) return true;
    }
    return false;
  }

  void unprune(const std::string& name, bool whole, PassContext& c) const {
    const auto it = dense_layers_.find(name);
    if (it == dense_layers_.end()) {
      if (whole) c.found.erase(name);
      return;
    }
    const Layer& l = it->second;
    FoundLayer& found = c.found[name];
    if (whole) found.input.reset();
    found.weight = times_divisor(l, l.node->inputs[l.input]->constant, found.input ? found.input->divisor : std::vector<float>{});
    const Value* bias = l.source == RowSource::states ? nullptr : l.node->input(is_recurrent(l) ? 3 : 2);
    found.bias = bias && bias->constant ? bias->constant : nullptr;
  }

  const Graph& graph_;
  const GraphPtr& dense_;
  const PassContext& context_;
  PipelineOptions pipeline_;
  std::map<std::string, const Node*> dense_nodes_;  // by the name of their first output
  std::map<std::string, Layer> dense_layers_;       // by name, those that the pruned network has too
};

// Why nothing was shipped: the gates that are missed, with have and need, and in which network.
std::string cannot_hold(const GuardResult& r, size_t layers) {
  std::string text =
      "the accuracy guard cannot hold: with " + std::to_string(r.missed_with) + " of " + std::to_string(layers) + " layers left as in the original, ";
  for (const ReportCheck& c : r.missed) text += (&c == &r.missed[0] ? "" : ", ") + c.name + " " + c.message;
  if (r.missed_with < layers) text += "; with all of them nothing would be compressed";
  return text + "; no file was written";
}

}  // namespace

std::unique_ptr<AccuracyMeter> guard_meter(const OptimizeRequest& request, Device& device) {
  const int workers = workers_of(device);
  const OneThread one;
  std::vector<size_t> all(request.samples->size());
  std::iota(all.begin(), all.end(), size_t{0});
  const auto weights = std::make_shared<SharedWeights>(device);
  return std::make_unique<AccuracyMeter>(std::make_shared<const Team>(request.source, device, workers, weights), device, *request.samples,
                                         std::move(all), Carry{request.carry, request.carry_start}, request.guard->task, weights);
}

void guard_passes(const OptimizeRequest& request, Device& device, const Graph& graph, const GraphPtr& dense, AccuracyMeter& meter,
                  const Progress& progress, PassContext& context, OptimizeResult& result) {
  const OneThread one;
  const PassContext unguarded = context;
  const RaisedNetworks networks(graph, dense, unguarded, request.pipeline);
  StoredSizes sizes;
  GuardWork work;
  work.layers = networks.layers();
  if (dense && request.weights != WeightPrecision::keep) work.ways.push_back(Raise::unpruned);
  work.ways.push_back(Raise::whole);
  work.build = [&](const Raised& raised) { return networks.build(raised); };
  work.measure = [&](const GraphPtr& g) { return meter.measure(g); };
  work.measure_some = [&](const GraphPtr& g, const std::vector<size_t>& places) { return meter.measure(g, places); };
  work.stored_bytes = [&](const GraphPtr& g) { return sizes.of(*g); };
  work.in_order = !meter.carry().pairs.empty();
  GuardResult found = guard(work, request.guard->gates, [&](double share) { progress("accuracy guard", share); });
  if (!found.holds && request.guard_failed) request.guard_failed(found);
  require(found.holds, ErrorKind::check_failed, found.holds ? "" : cannot_hold(found, work.layers.size()));
  context = networks.context_with(found.raised);
  if (const int64_t back = dense ? networks.given_back(found.raised, result.moved_zeros) : 0; back > 0) {
    context.pruned.zeros = std::max<int64_t>(0, context.pruned.zeros - back);
    context.notes.push_back("the accuracy guard gave elements back: " + std::to_string(context.pruned.zeros) + " of " +
                            std::to_string(context.pruned.elements) + " are 0 in what is shipped");
  }
  Executor original(request.source, device);
  if (request.carry.empty() && !find_carry(original, *request.samples).pairs.empty())
    context.notes.push_back(
        "the samples look like a stream, an output being the next one's input: the guard measured each with the states it came with; --carry OUT=IN "
        "measures it in closed loop");
  result.guard = std::move(found);
}

}  // namespace onecard
