#include <onnx/defs/schema.h>

#include <algorithm>
#include <vector>

#include "lib/onnx/exporter.h"
#include "lib/ops/control.h"
#include "lib/ops/quantize.h"
#include "lib/ops/sequence_map.h"

namespace onecard {

namespace {

constexpr int kMaxRounds = 64;                        // fused ops in fused ops

// Some operators came to ONNX after the opset that is written.
bool has_form(const Node& node) {
  if (const auto* dequantize = node.as<Dequantize>()) return dequantize->dtype == DType::f32;
  if (node.as<Quantize>()) return true;
  const auto form = node.op->to_onnx(node);
  return form && (!form->domain.empty() || onnx::OpSchemaRegistry::Schema(form->op_type, static_cast<int>(kExportOpset), "") != nullptr);
}

void take_apart(Graph& graph, Node& node) {
  ErrorScope scope("node '" + (node.name.empty() ? node.output()->name : node.name) + "' (" + std::string(node.op->name()) + ")");
  const std::vector<Value*> parts = node.op->decompose(graph, node);
  require(!parts.empty(), ErrorKind::model, "has no form in ONNX opset ", kExportOpset);
  require(parts.size() == node.outputs.size(), ErrorKind::internal, "decompose gives ", parts.size(), " values for ", node.outputs.size(), " outputs");
  for (size_t i = 0; i < parts.size(); ++i) graph.replace_uses(node.outputs[i], parts[i]);
}

}  // namespace

Graph in_onnx_forms(const Graph& graph) {
  Graph copy = graph.clone();
  copy.erase_dead();
  for (int round = 0; round < kMaxRounds; ++round) {
    std::vector<Node*> fused;
    for (Node& node : copy.nodes())
      if (!has_form(node)) fused.push_back(&node);
    if (fused.empty()) {
      widen_foreign_types(copy);
      return copy;
    }
    for (Node* node : fused) take_apart(copy, *node);
    copy.erase_dead();
  }
  fail(ErrorKind::internal, "taking nodes apart for export does not end");
}

FormalInputs formal_inputs(const Op& op) {
  if (dynamic_cast<const If*>(&op)) return {1, 0};
  if (const auto* loop = dynamic_cast<const Loop*>(&op)) return {2 + static_cast<size_t>(loop->carried), 2 + static_cast<size_t>(loop->carried)};
  if (const auto* scan = dynamic_cast<const Scan*>(&op)) return {static_cast<size_t>(scan->states + scan->scans), static_cast<size_t>(scan->states + scan->scans)};
  if (const auto* map = dynamic_cast<const SequenceMap*>(&op)) return {1 + static_cast<size_t>(map->others), 1 + static_cast<size_t>(map->others)};
  fail(ErrorKind::internal, "export does not know which inputs of ", op.name(), " are captures");
}

}  // namespace onecard
