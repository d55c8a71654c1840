#include "lib/ops/expansion.h"
#include "lib/ops/movement.h"
#include "lib/ops/quantize_linear.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"com.microsoft", "GatherBlockQuantized", 1}};

// Bytes that hold several codes each along the last axis, as codes of their own type; `wanted` of them per row.
Value* unpacked(const OnnxNode& node, size_t input, int64_t bits, std::optional<int64_t> wanted) {
  Value* v = node.needed(input);
  if (v->type.dtype != DType::u8 || bits == 8) return v;
  require(v->constant && v->constant->rank() >= 1, ErrorKind::model, "packed input ", input, " must be a constant");
  Dims dims = v->constant->dims();
  dims.back() *= 8 / bits;
  const TensorType type(bits == 4 ? DType::u4 : DType::u2, Shape::of(dims));
  Tensor codes = v->constant->alias(type);
  if (wanted && *wanted < dims.back()) {
    const ConstTensor whole = materialize(std::make_shared<const Tensor>(std::move(codes)));
    const int64_t row = dims.back(), rows = element_count(dims) / row;
    dims.back() = *wanted;
    codes = Tensor(type.dtype, dims);
    const ElementCopier copy(*whole, codes);
    for (int64_t r = 0; r < rows; ++r) copy(r * row, r * *wanted, *wanted);
  }
  return node.graph->add_constant(node.graph->unique(v->name + ".codes"), std::make_shared<const Tensor>(std::move(codes)));
}

}  // namespace

// com.microsoft's gather of a table of 2, 4 or 8 bits with one scale per block: codes, scales and zero points are gathered, then become reals.
struct GatherBlockQuantized {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(GatherBlockQuantized)

const std::span<const OnnxName> GatherBlockQuantized::kOnnx{kNames};

std::vector<Value*> GatherBlockQuantized::from_onnx(const OnnxNode& node) {
  const Expansion ex(node);
  const auto bits = node.attr<int64_t>("bits", 4), block = node.attr<int64_t>("block_size", 128);
  require(bits == 2 || bits == 4 || bits == 8, ErrorKind::model, "bits is ", bits, "; 2, 4 and 8 are supported");
  require(block >= 16, ErrorKind::model, "block_size is ", block);
  const bool bytes = node.needed(0)->type.dtype == DType::u8;
  Value *data = unpacked(node, 0, bits, std::nullopt), *scales = node.needed(2), *indices = node.needed(1);
  require(is_integer(data->type.dtype) && info(data->type.dtype).bits <= 8, ErrorKind::model, "a table of ", info(data->type.dtype).name,
          " is not supported");
  require(data->type.shape.has_rank() && scales->type.shape.has_rank() && indices->type.shape.has_rank() &&
              scales->type.shape.rank() == data->type.shape.rank(),
          ErrorKind::model, "table ", data->type, " and scales ", scales->type, " do not fit");
  const int64_t rank = data->type.shape.rank(), along = checked_axis(node.attr<int64_t>("gather_axis", 0), rank);
  const int64_t blocked = checked_axis(node.attr<int64_t>("quantize_axis", 1), rank);
  Value* zeros = node.input(3) ? unpacked(node, 3, bits, scales->type.shape[rank - 1].maybe()) : nullptr;
  if (!zeros && bytes) {  // the middle of the range stands for zero
    Tensor middle(data->type.dtype, Dims{});
    middle.set_int(0, int64_t{1} << (bits - 1));
    zeros = ex.expand(node.constant(std::move(middle)), ex.extents(scales, 0, rank));
  }
  DequantizeLinear real;
  real.block_size = block;
  const int64_t more = indices->type.shape.rank() - 1;  // axes that the indices put in place of one
  if (along != blocked) {                               // each index takes whole blocks
    real.axis = blocked > along ? blocked + more : blocked;
    const auto taken = [&](Value* v) { return ex.gather(v, indices, along); };
    return {
        node.add_op(real, zeros ? std::vector<Value*>{taken(data), taken(scales), taken(zeros)} : std::vector<Value*>{taken(data), taken(scales)})};
  }
  real.axis = blocked;
  return {ex.gather(node.add_op(real, zeros ? std::vector<Value*>{data, scales, zeros} : std::vector<Value*>{data, scales}), indices, along)};
}

}  // namespace onecard
