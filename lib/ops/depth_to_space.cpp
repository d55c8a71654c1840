#include "lib/ops/depth_to_space.h"

#include "lib/ops/movement.h"
#include "lib/ops/onnx_enum.h"

namespace onecard {

namespace {

constexpr OnnxName kDepthNames[] = {{"", "DepthToSpace", 1}};
constexpr OnnxName kSpaceNames[] = {{"", "SpaceToDepth", 1}};
constexpr int64_t kBlockLimit = 1 << 15;

void check(const TensorType& x, int64_t block) {
  require(block >= 1 && block <= kBlockLimit, ErrorKind::model, "blocksize is ", block);
  require(x.container == Container::tensor, ErrorKind::model, "cannot rearrange ", x);
  require(!x.quant || x.quant->axis < 0, ErrorKind::model, "a value quantized per channel cannot be rearranged");
  require(!x.shape.has_rank() || x.shape.rank() == 4, ErrorKind::model, "expects rank 4, the shape is ", x.shape);
}

Dim divided(const Dim& d, int64_t by, const char* what) {
  if (const auto n = d.maybe()) require(*n % by == 0, ErrorKind::model, what, " of ", *n, " does not divide by ", by);
  return d / Dim(by);
}

// Moves every element between the deep form [N, C b^2, H, W] and the wide form [N, C, H b, W b]; move(deep, wide) gets element numbers.
template <class F>
void for_pairs(const Dims& wide, int64_t block, DepthOrder order, F&& move) {
  const int64_t channels = wide[1], height = wide[2] / block, width = wide[3] / block, blocks = block * block;
  for (int64_t i = 0, count = wide[0] * channels * wide[2]; i < count; ++i) {
    const int64_t row = i % wide[2], c = i / wide[2] % channels, n = i / wide[2] / channels;
    for (int64_t column = 0; column < wide[3]; ++column) {
      const int64_t part = row % block * block + column % block;
      const int64_t channel = order == DepthOrder::block_first ? part * channels + c : c * blocks + part;
      move(((n * channels * blocks + channel) * height + row / block) * width + column / block, i * wide[3] + column);
    }
  }
}

}  // namespace

std::vector<TensorType> DepthToSpace::infer(const InferContext& in) const {
  TensorType y = in.type(0);
  check(y, block);
  if (!y.shape.has_rank()) return {y};
  y.shape = {y.shape[0], divided(y.shape[1], block * block, "a channel count"), y.shape[2] * Dim(block), y.shape[3] * Dim(block)};
  return {y};
}

void DepthToSpace::reference(Inputs in, Outputs out) const {
  if (out[0].elements() == 0) return;
  const ElementCopier copy(*in[0], out[0]);
  for_pairs(out[0].dims(), block, order, [&](int64_t deep, int64_t wide) { copy(deep, wide); });
}

std::optional<OnnxForm> DepthToSpace::to_onnx(const Node& node) const {
  if (node.inputs[0]->type.quant) return std::nullopt;
  return OnnxForm{"DepthToSpace", {{"blocksize", block}, {"mode", std::string(order == DepthOrder::block_first ? "DCR" : "CRD")}}, ""};
}

const std::span<const OnnxName> DepthToSpace::kOnnx{kDepthNames};

std::vector<Value*> DepthToSpace::from_onnx(const OnnxNode& node) {
  DepthToSpace op;
  op.block = node.needed_attr<int64_t>("blocksize");
  op.order = onnx_enum<DepthOrder>(node, "mode", "DCR", {{"DCR", DepthOrder::block_first}, {"CRD", DepthOrder::channel_first}});
  return node.add_all(std::move(op), {node.needed(0)});
}

DEFINE_OP(DepthToSpace)

std::vector<TensorType> SpaceToDepth::infer(const InferContext& in) const {
  TensorType y = in.type(0);
  check(y, block);
  if (!y.shape.has_rank()) return {y};
  y.shape = {y.shape[0], y.shape[1] * Dim(block * block), divided(y.shape[2], block, "a height"), divided(y.shape[3], block, "a width")};
  return {y};
}

void SpaceToDepth::reference(Inputs in, Outputs out) const {
  if (out[0].elements() == 0) return;
  const ElementCopier copy(*in[0], out[0]);
  for_pairs(in[0]->dims(), block, order, [&](int64_t deep, int64_t wide) { copy(wide, deep); });
}

std::optional<OnnxForm> SpaceToDepth::to_onnx(const Node& node) const {
  if (node.inputs[0]->type.quant) return std::nullopt;
  OnnxForm form{"SpaceToDepth", {{"blocksize", block}}, ""};
  if (order != DepthOrder::block_first) form.attributes["mode"] = std::string("CRD");
  return form;
}

const std::span<const OnnxName> SpaceToDepth::kOnnx{kSpaceNames};

std::vector<Value*> SpaceToDepth::from_onnx(const OnnxNode& node) {
  SpaceToDepth op;
  op.block = node.needed_attr<int64_t>("blocksize");
  op.order = onnx_enum<DepthOrder>(node, "mode", "DCR", {{"DCR", DepthOrder::block_first}, {"CRD", DepthOrder::channel_first}});
  return node.add_all(std::move(op), {node.needed(0)});
}

DEFINE_OP(SpaceToDepth)

}  // namespace onecard
