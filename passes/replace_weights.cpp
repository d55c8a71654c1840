// conv(x, w, b) => conv(x, w', b'); conv_transpose, matmul, lstm, gru, rnn likewise
//   context.found has w' and b' under the layer's name: floats of w's type or integers with their quantization, of w's extents. A recurrent
//   op reads quantized weights as dequantize(w').
#include "lib/ops/conv_transpose.h"
#include "lib/ops/matmul.h"
#include "lib/ops/quantize.h"
#include "passes/match.h"
#include "passes/weights.h"

namespace onecard {

namespace {

const FoundLayer* found_for(const PassContext& context, const std::string& name) {
  const auto it = context.found.find(name);
  return it == context.found.end() ? nullptr : &it->second;
}

// The constant in the place of input `i`, whose storage may serve several nodes.
void put(Graph& graph, Node& node, size_t i, const ConstTensor& data, std::map<const Tensor*, Value*>& made, std::vector<Value*>& in) {
  if (in.size() <= i) in.resize(i + 1, nullptr);
  Value*& value = made[data.get()];
  const std::string name = in[i] ? in[i]->name : node.output()->name + ".bias";
  const char* ending = !data->type().quant ? ".found" : info(data->dtype()).bits == 4 ? ".int4" : ".int8";
  if (!value) value = graph.add_constant(graph.unique(name + ending), data);
  in[i] = value;
  if (data->type().quant && is_recurrent(node)) {
    Dequantize dequantize;
    dequantize.dtype = node.output()->type.dtype;
    in[i] = emit(graph, node, dequantize, {value});
  }
}

}  // namespace

int64_t replace_weights(Graph& graph, PassContext& context) {
  if (context.found.empty()) return 0;
  int64_t changes = 0;
  std::map<const Tensor*, Value*> made;  // looked up, never iterated
  for (auto it = graph.nodes().begin(); it != graph.nodes().end();) {
    Node& node = *it++;
    if (node.outputs.empty()) continue;
    std::vector<Value*> in = node.inputs;
    const FoundLayer* layer = found_for(context, node.output()->name);
    if (layer && layer->weight) put(graph, node, 1, layer->weight, made, in);
    if (layer && layer->bias) put(graph, node, is_recurrent(node) ? 3 : 2, layer->bias, made, in);
    if (const FoundLayer* states = is_recurrent(node) ? found_for(context, node.output()->name + ".r") : nullptr; states && states->weight)
      put(graph, node, 2, states->weight, made, in);
    if (in == node.inputs) continue;
    graph.set_inputs(node, std::move(in));
    ++changes;
  }
  graph.erase_dead();
  return changes;
}

}  // namespace onecard
