#pragma once
#include "lib/base/file.h"
#include "lib/ir/graph.h"

namespace onecard {

// Writes the graph as standard ONNX of opset kExportOpset; fused nodes are taken apart, quantized values become integer tensors between
// QuantizeLinear and DequantizeLinear. Weights of more than 1.5 GB in all go to a file named like `out` with ".data" appended.
// Raises model, naming the node, when one has no ONNX form; io when the file cannot be written.
void export_onnx(const Graph& graph, const Path& out);

}  // namespace onecard
