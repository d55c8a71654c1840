#include "lib/ops/tile.h"

#include "lib/cpu/kernels.h"
#include "lib/cpu/strided_copy.h"

namespace onecard {
namespace {

// Every axis as two: the repetition, along which x stands still, and the axis itself.
std::optional<StridedCopy> copy_of(const KernelQuery& q) {
  const Dims x = q.in[0].shape.numbers(), y = q.out[0].shape.numbers(), strides = row_major_strides(x);
  Dims extents, from;
  for (size_t a = 0; a < x.size(); ++a) {
    extents.push_back(x[a] == 0 ? 0 : y[a] / x[a]), from.push_back(0);
    extents.push_back(x[a]), from.push_back(strides[a]);
  }
  return StridedCopy::make(extents, from, row_major_strides(extents), element_bytes(q.in[0]));
}

Support supports(const Tile&, const KernelQuery& q) {
  if (const Support s = plain_operands(q); !s) return s;
  return copy_of(q) ? yes() : no("too many axes");
}

std::unique_ptr<Step> prepare(const Tile&, const KernelQuery& q) {
  if (q.in[0].bytes() == q.out[0].bytes()) return view_step(q);
  return plain_step(q, [copy = *copy_of(q)](const LaunchArgs& args) { copy.run(args.in[0], args.out[0]); });
}

}  // namespace

std::unique_ptr<Kernel> make_tile_kernel(const OneDnnPtr&) { return std::make_unique<KernelFor<Tile, supports, prepare>>("cpu.tile"); }

}  // namespace onecard
