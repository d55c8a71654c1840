#include "passes/movers.h"

#include "lib/ops/data_ops.h"
#include "lib/ops/depth_to_space.h"
#include "lib/ops/pool.h"
#include "lib/ops/resize.h"
#include "lib/ops/shape_ops.h"

namespace onecard {

size_t carriers(const Node& node) {
  if (const auto* pool = node.as<Pool>()) return pool->fn == PoolFn::max ? 1 : 0;
  if (const auto* pool = node.as<GlobalPool>()) return pool->fn == PoolFn::max ? 1 : 0;
  if (const auto* resize = node.as<Resize>())  // tf_crop_and_resize writes numbers of its own outside of x
    return resize->mode == ResizeMode::nearest && resize->coordinates != Coordinates::tf_crop_and_resize ? 1 : 0;
  if (node.as<Concat>()) return node.inputs.size();
  const bool moves = node.as<Reshape>() || node.as<Flatten>() || node.as<Squeeze>() || node.as<Unsqueeze>() || node.as<Transpose>() ||
                     node.as<Slice>() || node.as<Split>() || node.as<Gather>() || node.as<DepthToSpace>() || node.as<SpaceToDepth>() ||
                     node.as<Pad>();
  return moves ? 1 : 0;
}

}  // namespace onecard
