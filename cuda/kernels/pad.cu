// Pad with a constant or the nearest edge; negative pads cut.
#include "cuda/kernels.h"
#include "cuda/launch.cuh"
#include "cuda/walk.h"
#include "lib/ops/axes.h"
#include "lib/ops/data_ops.h"

namespace onecard::cuda {
namespace {

struct PadShape {
  int rank = 0;
  Divider out[kWalkAxes];
  int begin[kWalkAxes] = {}, extent[kWalkAxes] = {}, stride[kWalkAxes] = {};  // pad in front of x, and x itself
  bool repeats_edge = false;
};

template <class T>
struct PadEach {
  PadShape s;
  const T *x, *value;                                 // null value: 0
  T* y;
  ANYWHERE void operator()(int i) const {
    int rest = i, from = 0;
    bool inside = true;
    for (int a = s.rank - 1; a >= 0; --a) {
      int at = s.out[a].cut(rest) - s.begin[a];
      if (at < 0 || at >= s.extent[a]) {
        inside = inside && s.repeats_edge;
        at = at < 0 ? 0 : s.extent[a] - 1;
      }
      from += at * s.stride[a];
    }
    y[i] = inside ? x[from] : value ? *value : T{0};
  }
};

std::optional<PadShape> shape_of(const Pad& op, const KernelQuery& q) {
  const Dims x = q.in[0].shape.numbers(), y = q.out[0].shape.numbers(), strides = row_major_strides(x);
  const auto pads = known_ints(q, 1);
  auto axes = q.has(3) ? known_ints(q, 3) : std::optional(std::vector<int64_t>());
  if (!pads || !axes || x.size() > kWalkAxes) return std::nullopt;
  if (!q.has(3))
    for (size_t a = 0; a < x.size(); ++a) axes->push_back(static_cast<int64_t>(a));
  if (pads->size() != 2 * axes->size()) return std::nullopt;
  PadShape s;
  s.rank = static_cast<int>(x.size());
  s.repeats_edge = op.mode == PadMode::edge;
  for (size_t a = 0; a < x.size(); ++a) {
    s.out[a] = Divider(y[a]);
    s.extent[a] = static_cast<int>(x[a]);
    s.stride[a] = static_cast<int>(strides[a]);
  }
  for (size_t i = 0; i < axes->size(); ++i) {
    if ((*pads)[i] > kMostElements || (*pads)[i] < -kMostElements) return std::nullopt;
    s.begin[checked_axis((*axes)[i], static_cast<int64_t>(x.size()))] = static_cast<int>((*pads)[i]);
  }
  return s;
}

Support supports(const Pad& op, const KernelQuery& q) {
  if (Support s = plain_operands(q); !s) return s;
  if (op.mode != PadMode::constant && (op.mode != PadMode::edge || elements_of(q.in[0]) == 0)) return no("mode " + std::string(kPadModeNames[static_cast<size_t>(op.mode)]));
  return shape_of(op, q) ? yes() : no("the pads are not known while planning, or more than 8 axes");
}

template <class T>
std::unique_ptr<Step> typed_step(const Pad& op, const KernelQuery& q) {
  const PadShape shape = *shape_of(op, q);
  const int count = elements_of(q.out[0]);
  return make_step(q, [=](const LaunchArgs& a) { launch_each(PadEach<T>{shape, in<T>(a, 0), in<T>(a, 2), out<T>(a)}, count, a.queue); });
}

std::unique_ptr<Step> prepare(const Pad& op, const KernelQuery& q) {
  const int bytes = element_bytes(q.in[0]);
  return bytes == 1 ? typed_step<uint8_t>(op, q) : bytes == 2 ? typed_step<uint16_t>(op, q) : bytes == 4 ? typed_step<uint32_t>(op, q) : typed_step<uint64_t>(op, q);
}

}  // namespace

std::unique_ptr<Kernel> make_pad_kernel() { return std::make_unique<KernelFor<Pad, supports, prepare>>("cuda.pad"); }

}  // namespace onecard::cuda
