#include "lib/ops/linear_codes.h"

#include "lib/ops/quantize_linear.h"
#include "lib/ops/shape_ops.h"

namespace onecard {

Value* dequantized(const OnnxNode& node, Value* codes, Value* scale, Value* zero, int64_t axis) {
  DequantizeLinear op;
  op.axis = axis;
  std::vector<Value*> in{codes, scale};
  if (zero) in.push_back(zero);
  return node.add_op(op, in);
}

Value* quantized(const OnnxNode& node, Value* real, Value* scale, Value* zero, DType otherwise) {
  QuantizeLinear op;
  if (!zero) op.output_dtype = otherwise;
  std::vector<Value*> in{real, scale};
  if (zero) in.push_back(zero);
  return node.add_op(op, in);
}

Value* import_as(const OnnxNode& node, std::string_view op_type, std::vector<Value*> in, int64_t opset, std::string_view domain) {
  const OnnxImporter* importer = find_importer(domain, op_type);
  if (!importer) fail(ErrorKind::model, node.op_type, " needs ", op_type, ", which is not supported");
  OnnxNode real = node;
  real.op_type = op_type;
  real.domain = domain;
  real.opset = opset;
  real.inputs = std::move(in);
  const auto out = importer->from_onnx(real);
  require(!out.empty() && out[0], ErrorKind::internal, op_type, " has no result");
  return out[0];
}

Value* dequantized_input(const OnnxNode& node, size_t i, int64_t axis) {
  return dequantized(node, node.needed(i), node.needed(i + 1), node.input(i + 2), axis);
}

std::vector<Value*> quantized_output(const OnnxNode& node, Value* real, size_t i) {
  const Value* codes = node.input(0);
  return {quantized(node, real, node.needed(i), node.input(i + 1), codes && codes->type.dtype == DType::i8 ? DType::i8 : DType::u8)};
}

namespace {
Value* permuted(const OnnxNode& node, Value* x, bool to_end) {
  require(x->type.shape.has_rank() && x->type.shape.rank() >= 2, ErrorKind::model, "channels_last needs an input of known rank, got ", x->type);
  const int64_t rank = x->type.shape.rank();
  Transpose op;
  for (int64_t i = 0; i < rank; ++i) op.perm.push_back(i == 0 ? 0 : to_end ? (i + 1 < rank ? i + 1 : 1) : (i == 1 ? rank - 1 : i - 1));
  return node.add_op(op, {x});
}
}  // namespace

Value* channels_last(const OnnxNode& node, Value* x) { return permuted(node, x, true); }
Value* channels_first(const OnnxNode& node, Value* x) { return permuted(node, x, false); }

}  // namespace onecard
