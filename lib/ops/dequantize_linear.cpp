#include "lib/ops/operands.h"
#include "lib/ops/quantize.h"
#include "lib/ops/quantize_linear.h"
#include "lib/ops/scale_index.h"
#include "lib/ops/shape_ops.h"

namespace onecard {
DEFINE_OP(DequantizeLinear)
namespace {

constexpr OnnxName kNames[] = {{"", "DequantizeLinear", 10}};

// The meaning of a node's codes as a quantized type; null when it is not constant, not of f32, or has no such type.
QuantizationPtr constant_quantization(const TensorType& x, const Value* scale, const Value* zero, int64_t axis, int64_t block) {
  const DType t = x.dtype;
  const bool typed = t == DType::i8 || t == DType::u8 || t == DType::i4 || t == DType::u4 || t == DType::i16 || t == DType::u16;
  if (!typed || !scale->constant || scale->type.dtype != DType::f32 || (zero && (!zero->constant || zero->type.dtype != t))) return nullptr;
  const ConstTensor scales = materialize(scale->constant);
  Quantization q;
  const auto values = scales->data<float>();
  q.scale.assign(values.begin(), values.end());
  if (zero) {
    const auto zeros = to_ints(*materialize(zero->constant));
    q.zero_point.assign(zeros.begin(), zeros.end());
    if (q.zero_point.size() != q.scale.size()) return nullptr;
  }
  if (scales->rank() > 1 || q.scale.size() != 1 || block > 0) {
    if (!x.shape.has_rank() || axis < -x.shape.rank() || axis >= x.shape.rank()) return nullptr;
    q.axis = checked_axis(axis, x.shape.rank());
    q.block = block;
    // Blocked scales need known extents to be checked.
    if (block < 0 || (block == 0 ? scales->rank() != 1 || !(x.shape[q.axis] == Dim(static_cast<int64_t>(q.scale.size()))) : !x.shape.is_static())) return nullptr;
    if (block > 0) ScaleIndex(x.shape.numbers(), scales->dims(), axis, block);
  }
  return std::make_shared<const Quantization>(std::move(q));
}

// DequantizeLinear of constant codes, or of QuantizeLinear with the same scale and zero point, as typed nodes; null when it is neither.
Value* typed_form(const OnnxNode& node, const DequantizeLinear& op) {
  Value *x = node.needed(0), *scale = node.needed(1), *zero = node.input(2);
  const auto quant = constant_quantization(x->type, scale, zero, op.axis, op.block_size);
  if (!quant) return nullptr;
  if (x->constant) {
    Value* typed = node.graph->add_constant(node.graph->unique(x->name + ".quantized"), std::make_shared<const Tensor>(x->constant->alias(TensorType(x->type.dtype, x->type.shape, quant))));
    return node.add_op(Dequantize(), {typed});
  }
  const auto* source = x->producer ? x->producer->as<QuantizeLinear>() : nullptr;
  if (!source || x->producer->input(0)->type.dtype != DType::f32) return nullptr;
  const auto same = constant_quantization(x->type, x->producer->input(1), x->producer->input(2), source->axis, source->block_size);
  if (!same || !same_value(same, quant)) return nullptr;
  Quantize quantize;
  quantize.quant = quant;
  quantize.dtype = x->type.dtype;
  return node.add_op(Dequantize(), {node.add_op(quantize, {x->producer->input(0)})});
}

}  // namespace

const std::span<const OnnxName> DequantizeLinear::kOnnx{kNames};

std::vector<TensorType> DequantizeLinear::infer(const InferContext& in) const {
  const TensorType &x = plain_tensor(in, 0), &scale = float_tensor(in, 1);
  const bool codes = is_integer(x.dtype) || (is_float(x.dtype) && info(x.dtype).bits <= 8);
  require(codes && info(x.dtype).bits <= 32, ErrorKind::model, "cannot dequantize ", info(x.dtype).name);
  require(block_size >= 0, ErrorKind::model, "block_size is ", block_size);
  if (in.has(2)) {
    require(plain_tensor(in, 2).dtype == x.dtype, ErrorKind::model, "the zero point is ", info(in.dtype(2)).name, "; it must be ", info(x.dtype).name);
    if (in.shape(2).is_static() && scale.shape.is_static())
      require(in.shape(2).elements() == scale.shape.elements(), ErrorKind::model, "scale ", scale.text(), " and zero point ", in.type(2).text(), " differ in shape");
  }
  if (x.shape.is_static() && scale.shape.is_static()) ScaleIndex(x.shape.numbers(), scale.shape.numbers(), axis, block_size);
  return {TensorType(scale.dtype, x.shape)};
}

void DequantizeLinear::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  const Tensor* zero = in.size() > 2 ? in[2] : nullptr;
  shape_output(out[0], in[1]->dtype(), x.dims());
  const ScaleIndex at(x.dims(), in[1]->dims(), axis, block_size);
  const auto scales = to_doubles(*in[1]);
  const auto zeros = zero ? to_doubles(*zero) : std::vector<double>(scales.size(), 0.0);
  visit_float(out[0].dtype(), [&]<class T>(TypeTag<T>) {
    const auto to = out[0].data<T>();
    for (size_t i = 0; i < to.size(); ++i) {
      const auto s = static_cast<size_t>(at(static_cast<int64_t>(i)));
      to[i] = narrow<T>((x.at(static_cast<int64_t>(i)) - zeros[s]) * scales[s]);
    }
  });
}

std::optional<OnnxForm> DequantizeLinear::to_onnx(const Node&) const { return OnnxForm{"DequantizeLinear", {{"axis", axis}, {"block_size", block_size}}, {}}; }

std::vector<Value*> DequantizeLinear::from_onnx(const OnnxNode& node) {
  DequantizeLinear op;
  op.axis = node.attr<int64_t>("axis", 1);
  op.block_size = node.attr<int64_t>("block_size", 0);
  const auto code = node.attr<int64_t>("output_dtype", 0);
  require(dtype_is_known(code) || code == 0, ErrorKind::model, "output_dtype is ", code);
  std::vector<Value*> in{node.needed(0), node.needed(1)};
  const DType wanted = code != 0 ? static_cast<DType>(code) : is_arithmetic_float(in[1]->type.dtype) ? in[1]->type.dtype : DType::f32;
  if (wanted == in[1]->type.dtype)
    if (Value* typed = typed_form(node, op)) return {typed};
  if (wanted != in[1]->type.dtype) {
    Cast cast;
    cast.to = wanted;
    in[1] = node.add_op(cast, {in[1]});
  }
  if (node.input(2)) in.push_back(node.input(2));
  return {node.add_op(op, in)};
}

}  // namespace onecard
