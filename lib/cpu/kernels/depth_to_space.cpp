// Both directions between channels and blocks of pixels.
#include "lib/ops/depth_to_space.h"

#include "lib/cpu/kernels.h"
#include "lib/cpu/strided_copy.h"

namespace onecard {
namespace {

// The six axes that both forms share: n, channel, row, row in block, column, column in block.
struct Axes {
  Dims extents, deep, wide;
};

Axes axes_of(const Dims& wide, int64_t block, DepthOrder order) {
  const int64_t channels = wide[1], height = wide[2] / block, width = wide[3] / block, plane = height * width;
  Axes a;
  a.extents = {wide[0], channels, height, block, width, block};
  a.wide = row_major_strides(a.extents);
  if (order == DepthOrder::block_first) a.deep = {channels * block * block * plane, plane, width, block * channels * plane, 1, channels * plane};
  else a.deep = {channels * block * block * plane, block * block * plane, width, block * plane, 1, plane};
  return a;
}

Dims picked(const Dims& from, const std::vector<size_t>& order) {
  Dims to;
  for (const size_t i : order) to.push_back(from[i]);
  return to;
}

template <class O>
Support supports(const O&, const KernelQuery& q) {
  if (const Support s = plain_operands(q); !s) return s;
  return q.in[0].shape.rank() == 4 ? yes() : no("not of rank 4");
}

std::unique_ptr<Step> step_of(const KernelQuery& q, const Dims& extents, const Dims& from, const Dims& to) {
  const auto copy = StridedCopy::make(extents, from, to, element_bytes(q.in[0]));
  require(copy.has_value(), ErrorKind::internal, "six axes are too many");
  return plain_step(q, [copy = *copy](const LaunchArgs& args) { copy.run(args.in[0], args.out[0]); });
}

std::unique_ptr<Step> to_space(const DepthToSpace& op, const KernelQuery& q) {
  const Axes a = axes_of(q.out[0].shape.numbers(), op.block, op.order);
  return step_of(q, a.extents, a.deep, a.wide);
}

std::unique_ptr<Step> to_depth(const SpaceToDepth& op, const KernelQuery& q) {
  const Axes a = axes_of(q.in[0].shape.numbers(), op.block, op.order);
  const auto order = op.order == DepthOrder::block_first ? std::vector<size_t>{0, 3, 5, 1, 2, 4} : std::vector<size_t>{0, 1, 3, 5, 2, 4};
  return step_of(q, picked(a.extents, order), picked(a.wide, order), picked(a.deep, order));
}

}  // namespace

std::unique_ptr<Kernel> make_depth_to_space_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<DepthToSpace, supports<DepthToSpace>, to_space>>("cpu.depth_to_space");
}
std::unique_ptr<Kernel> make_space_to_depth_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<SpaceToDepth, supports<SpaceToDepth>, to_depth>>("cpu.space_to_depth");
}

}  // namespace onecard
