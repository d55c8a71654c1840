#include <cstring>

#include "lib/cpu/kernels.h"
#include "lib/cpu/walk.h"
#include "lib/ops/broadcast_index.h"
#include "lib/ops/data_ops.h"

namespace onecard {
namespace {

// Operands: condition, x, y, result.
std::optional<Walk<4>> walk_of(const KernelQuery& q) {
  const Dims dims = q.out[0].shape.numbers();
  std::array<Dims, 4> strides;
  for (size_t i = 0; i < 3; ++i) strides[i] = broadcast_strides(q.in[i].shape.numbers(), dims);
  strides[3] = row_major_strides(dims);
  return make_walk<4>(dims, strides);
}

template <class T>
void choose(const Walk<4>& w, const uint8_t* c, const T* x, const T* y, T* to) {
  const int64_t c_step = w.row_stride(0), x_step = w.row_stride(1), y_step = w.row_stride(2);
  walk_pieces(w, 8192, [&](const std::array<int64_t, 4>& at, int64_t count) {
    const uint8_t* condition = c + at[0];
    const T *a = x + at[1], *b = y + at[2];
    T* out = to + at[3];
    if (c_step == 1 && x_step == 1 && y_step == 1) {
      for (int64_t i = 0; i < count; ++i) out[i] = condition[i] ? a[i] : b[i];
    } else if (c_step == 1 && x_step == 0 && y_step == 1) {
      const T first = *a;
      for (int64_t i = 0; i < count; ++i) out[i] = condition[i] ? first : b[i];
    } else if (c_step == 1 && x_step == 1 && y_step == 0) {
      const T second = *b;
      for (int64_t i = 0; i < count; ++i) out[i] = condition[i] ? a[i] : second;
    } else {
      for (int64_t i = 0; i < count; ++i) out[i] = condition[i * c_step] ? a[i * x_step] : b[i * y_step];
    }
  });
}

Support supports(const Where&, const KernelQuery& q) {
  if (const Support s = plain_operands(q); !s) return s;
  if (element_bytes(q.out[0]) > 8) return no("elements of 16 bytes");
  return walk_of(q) ? yes() : no("too many axes");
}

std::unique_ptr<Step> prepare(const Where&, const KernelQuery& q) {
  const Walk<4> walk = *walk_of(q);
  const int64_t width = element_bytes(q.out[0]);
  auto step = plain_step(q, [walk, width](const LaunchArgs& args) {
    const auto run = [&]<class T>(TypeTag<T>) {
      choose(walk, static_cast<const uint8_t*>(args.in[0]), static_cast<const T*>(args.in[1]), static_cast<const T*>(args.in[2]),
             static_cast<T*>(args.out[0]));
    };
    if (width == 1) run(TypeTag<uint8_t>{});
    else if (width == 2) run(TypeTag<uint16_t>{});
    else if (width == 4) run(TypeTag<uint32_t>{});
    else run(TypeTag<uint64_t>{});
  });
  allow_in_place(*step, q, {1, 2});
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_where_kernel(const OneDnnPtr&) { return std::make_unique<KernelFor<Where, supports, prepare>>("cpu.where"); }

}  // namespace onecard
