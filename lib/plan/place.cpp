#include <algorithm>
#include <set>

#include "lib/plan/plan.h"
#include "lib/plan/steps.h"

namespace onecard {

namespace {

constexpr std::string_view kReference = "reference";

bool plannable(const TensorType& t) { return t.container == Container::none || (t.is_static() && t.dtype != DType::string); }

// Whether the node has a kernel of its own on the device.
bool has_kernel(const Node& node, const Device& device, int threads) {
  const QueryOf q(node, std::vector<Layout>(node.inputs.size()), threads);
  const auto& kernels = device.kernels();
  const auto it = std::find_if(kernels.begin(), kernels.end(), [&](const auto& kernel) { return bool(kernel->supports(q.query)); });
  return it != kernels.end() && (*it)->name() != kReference;
}

}  // namespace

bool is_dynamic(const Node& node) {
  if (!node.op->subgraphs().empty()) return true;
  for (const Value* v : node.inputs)
    if (v && !plannable(v->type)) return true;
  for (const Value* v : node.outputs)
    if (!plannable(v->type)) return true;
  return false;
}

QueryOf::QueryOf(const Node& node, std::vector<Layout> layouts, int threads)
    : in(), in_layouts(std::move(layouts)), query{*node.op, {}, {}, {}, {}, threads} {
  for (const Value* v : node.inputs) {
    in.push_back(v ? v->type : TensorType());
    if (!v) in.back().container = Container::none;
    constants.push_back(v ? v->constant : nullptr);
  }
  for (const Value* v : node.outputs) out.push_back(v->type);
  query.in = in;
  query.out = out;
  query.constants = constants;
  query.in_layouts = in_layouts;
}

Chosen choose_kernel(const Device& device, const KernelQuery& query) {
  Chosen chosen;
  for (const auto& kernel : device.kernels()) {
    Attempt made = kernel->attempt(query);
    if (made.support) {
      chosen.kernel = kernel.get();
      chosen.step = std::move(made.step);
      break;
    }
    if (made.support.why_not != "other op") chosen.why_not.push_back(std::string(kernel->name()) + ": " + made.support.why_not);
  }
  return chosen;
}

void place(Graph& graph, const Device& device, int threads) {
  std::set<const Node*> done;  // taken apart
  for (auto it = graph.nodes().begin(); it != graph.nodes().end();) {
    Node& node = *it;
    if (done.contains(&node) || is_dynamic(node) || has_kernel(node, device, threads)) {
      ++it;
      continue;
    }
    const auto previous = it == graph.nodes().begin() ? graph.nodes().end() : std::prev(it);
    const std::vector<Value*> parts = node.op->decompose(graph, node);
    if (parts.empty()) {
      ++it;
      continue;
    }
    require(parts.size() == node.outputs.size(), ErrorKind::internal, node.op->name(), " was taken apart into ", parts.size(), " values, not ",
            node.outputs.size());
    for (size_t i = 0; i < parts.size(); ++i) graph.replace_uses(node.outputs[i], parts[i]);
    // The parts stand before the node, which is dead now: they come next, and may be taken apart in turn.
    const auto first = previous == graph.nodes().end() ? graph.nodes().begin() : std::next(previous);
    it = first == it ? std::next(it) : first;
    done.insert(&node);
  }
  graph.erase_dead();
}

}  // namespace onecard
