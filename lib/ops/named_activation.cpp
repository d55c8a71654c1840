#include "lib/ops/named_activation.h"

#include "lib/ops/registry.h"
#include "lib/ops/unary.h"

namespace onecard {

Value* named_activation(const Expansion& ex, Value* x, const std::string& name, const ActivationParameters& parameters) {
  if (name.empty()) return x;
  const OnnxImporter* importer = find_importer("", name);
  require(importer && importer->from_onnx == &Unary::from_onnx, ErrorKind::model, "activation '", name, "' is not known");
  OnnxNode node = ex.node();
  node.op_type = name, node.domain = "", node.opset = 6;  // Clip has its bounds as attributes then
  node.inputs = {x};
  node.attributes.clear();
  for (const auto& [key, value] : parameters) node.attributes[key] = value;
  return Unary::from_onnx(node)[0];
}

}  // namespace onecard
