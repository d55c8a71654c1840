#include <algorithm>
#include <cmath>
#include <numeric>

#include "lib/ops/data_ops.h"
#include "lib/ops/expansion.h"
#include "lib/ops/matmul.h"
#include "lib/ops/movement.h"

namespace onecard {
namespace {

constexpr OnnxName kNames[] = {{"com.microsoft", "MatMulNBits", 1}};

// Rows of codes, packed lowest bits first; a row of blocks of `block` codes is padded to whole blocks.
struct Packing {
  int64_t n = 0, k = 0, block = 0, bits = 4;
  int64_t blocks() const { return k / block + (k % block != 0); }
  int64_t blob() const { return block * bits / 8; }
  DType dtype() const { return bits == 2 ? DType::u2 : bits == 4 ? DType::u4 : DType::u8; }
  int32_t middle() const { return int32_t{1} << (bits - 1); }
};

Packing packing_of(const OnnxNode& node) {
  Packing p;
  p.n = node.needed_attr<int64_t>("N"), p.k = node.needed_attr<int64_t>("K"), p.block = node.needed_attr<int64_t>("block_size");
  p.bits = node.attr<int64_t>("bits", 4);
  require(p.bits == 2 || p.bits == 4 || p.bits == 8, ErrorKind::model, "bits is ", p.bits, "; 2, 4 and 8 are supported");
  constexpr int64_t kMost = int64_t{1} << 30;
  const bool sound = p.n > 0 && p.k > 0 && p.n <= kMost && p.k <= kMost && p.block >= 16 && p.block <= kMost && (p.block & (p.block - 1)) == 0;
  require(sound, ErrorKind::model, "N ", p.n, ", K ", p.k, " and block_size ", p.block, " make no blocked weight");
  require(node.attr<int64_t>("weight_prepacked", 0) == 0, ErrorKind::model, "weights prepacked for one device are not supported");
  return p;
}

const ConstTensor& constant_input(const OnnxNode& node, size_t i, int64_t elements) {
  const Value* v = node.needed(i);
  require(v->constant != nullptr, ErrorKind::model, "input ", i, " ('", v->name, "') must be a constant");
  require(v->constant->elements() == elements, ErrorKind::model, "input ", i, " has ", v->constant->elements(), " elements where ", elements,
          " are wanted");
  const DKind kind = info(v->type.dtype).kind;
  require(kind == DKind::floating || kind == DKind::sint || kind == DKind::uint, ErrorKind::model, "input ", i, " holds no numbers: ", v->type);
  return v->constant;
}

// `rows` rows of `bytes` bytes as rows of `kept` codes, the padding at the end of each dropped.
Tensor codes_of(const ConstTensor& packed, const Packing& p, int64_t rows, int64_t bytes, int64_t kept) {
  require(packed->dtype() == DType::u8, ErrorKind::model, "packed codes must be u8, not ", info(packed->dtype()).name);
  const TensorType whole(p.dtype(), {rows, bytes * 8 / p.bits});
  if (whole.shape[1] == Dim(kept)) return packed->alias(whole);
  const ConstTensor resident = materialize(packed);
  const Tensor padded = resident->alias(whole);
  Tensor y(p.dtype(), {rows, kept});
  const ElementCopier copy(padded, y);
  for (int64_t r = 0; r < rows; ++r) copy(r * bytes * 8 / p.bits, r * kept, kept);
  return y;
}

// Zero points of all blocks as real numbers: packed like the weights, as numbers, or the middle of the range.
std::vector<double> zero_points(const OnnxNode& node, const Packing& p) {
  const int64_t blocks = p.n * p.blocks();
  if (!node.input(3)) return std::vector<double>(static_cast<size_t>(blocks), p.middle());
  if (node.input(3)->type.dtype != DType::u8) return to_doubles(*materialize(constant_input(node, 3, blocks)));
  const int64_t bytes = (p.blocks() * p.bits + 7) / 8;
  const auto codes = to_ints(*materialize(std::make_shared<const Tensor>(codes_of(constant_input(node, 3, p.n * bytes), p, p.n, bytes, p.blocks()))));
  return {codes.begin(), codes.end()};
}

// The columns in the order of their groups, when g_idx (the block of every column) puts them in another than blocks one after the other.
std::optional<std::vector<int64_t>> regrouped(const OnnxNode& node, const Packing& p) {
  if (!node.input(4)) return std::nullopt;
  const auto group = to_ints(*materialize(constant_input(node, 4, p.k)));
  std::vector<int64_t> order(group.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return group[static_cast<size_t>(a)] < group[static_cast<size_t>(b)]; });
  for (size_t i = 0; i < order.size(); ++i)
    require(group[static_cast<size_t>(order[i])] == static_cast<int64_t>(i) / p.block, ErrorKind::model, "g_idx does not make groups of ", p.block,
            " columns");
  if (std::is_sorted(order.begin(), order.end())) return std::nullopt;
  return order;
}

Tensor with_columns(const Tensor& codes, const std::vector<int64_t>& order) {
  Tensor y(codes.dtype(), codes.dims());
  const ConstTensor from = materialize(std::make_shared<const Tensor>(codes.alias(codes.type())));
  const ElementCopier copy(*from, y);
  const auto columns = static_cast<int64_t>(order.size());
  for (int64_t row = 0; row < codes.dims()[0]; ++row)
    for (int64_t i = 0; i < columns; ++i) copy(row * columns + order[static_cast<size_t>(i)], row * columns + i);
  return y;
}

// x summed over blocks of the last axis: [.., K] -> [.., blocks].
Value* block_sums(const Expansion& ex, Value* x, const Packing& p) {
  require(x->type.shape.has_rank(), ErrorKind::model, "the rank of the input must be known");
  const int64_t rank = x->type.shape.rank();
  if (p.k % p.block != 0) x = ex.node().add_op(Pad(), {x, ex.ints({0, p.blocks() * p.block - p.k}), ex.scalar(x->type.dtype, 0), ex.ints({-1})});
  std::vector<int64_t> list(static_cast<size_t>(rank - 1), 0);
  list.insert(list.end(), {p.blocks(), p.block});
  return ex.reduce(ReduceFn::sum, ex.reshape(x, list), {-1}, KeepDims::no);
}

}  // namespace

// com.microsoft's product with a blocked weight of 2, 4 or 8 bits: a matmul whose weight is a quantized constant, stored as packed as it came.
struct MatMulNBits {
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};
DEFINE_OP(MatMulNBits)

const std::span<const OnnxName> MatMulNBits::kOnnx{kNames};

std::vector<Value*> MatMulNBits::from_onnx(const OnnxNode& node) {
  const Expansion ex(node);
  const Packing p = packing_of(node);
  Quantization q;
  q.axis = 1, q.block = p.block;
  const auto scales = to_doubles(*materialize(constant_input(node, 2, p.n * p.blocks())));
  q.scale.assign(scales.begin(), scales.end());
  const auto zeros = zero_points(node, p);
  // Quantized types have whole zero points: what is left of others is taken off by a small product with the sums of x's blocks.
  std::vector<float> rest(zeros.size(), 0.0f);
  bool whole = true;
  q.zero_point.resize(zeros.size());
  for (size_t i = 0; i < zeros.size(); ++i) {
    require(std::abs(zeros[i]) < 1e9, ErrorKind::model, "zero point ", zeros[i]);
    q.zero_point[i] = static_cast<int32_t>(std::nearbyint(zeros[i]));
    rest[i] = static_cast<float>((zeros[i] - q.zero_point[i]) * scales[i]);
    whole = whole && rest[i] == 0;
  }
  Tensor codes = codes_of(constant_input(node, 1, p.n * p.blocks() * p.blob()), p, p.n, p.blocks() * p.blob(), p.k);
  const auto order = regrouped(node, p);
  if (order) codes = with_columns(codes, *order);
  const TensorType typed(p.dtype(), {p.n, p.k}, std::make_shared<const Quantization>(std::move(q)));
  Value* weight =
      node.graph->add_constant(node.graph->unique(node.needed(1)->name + ".quantized"), std::make_shared<const Tensor>(codes.alias(typed)));
  Value *given = node.needed(0), *x = ex.cast(given, DType::f32), *bias = node.input(5);
  if (order) x = ex.gather(x, ex.ints(*order), -1);
  MatMul product;
  product.transpose_b = Transpose2::yes;
  Value* y = node.add_op(product, bias ? std::vector<Value*>{x, weight, ex.cast(bias, DType::f32)} : std::vector<Value*>{x, weight});
  if (!whole) y = ex.sub(y, node.add_op(product, {block_sums(ex, x, p), node.constant(Tensor::of<float>({p.n, p.blocks()}, rest))}));
  return {ex.cast(y, given->type.dtype)};
}

}  // namespace onecard
