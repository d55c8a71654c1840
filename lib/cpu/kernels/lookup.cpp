#include "lib/ops/lookup.h"

#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"

namespace onecard {
namespace {

template <class T>
void look_up(const uint8_t* x, const T* table, T* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = table[x[i]];
}

Support supports(const Lookup&, const KernelQuery& q) {
  if (const Support s = plain_operands(q); !s) return s;
  const int64_t bytes = element_bytes(q.out[0]);
  return bytes <= 4 ? yes() : no("entries of " + std::to_string(bytes) + " bytes");
}

template <class T>
std::unique_ptr<Step> step_of(const KernelQuery& q) {
  auto step = plain_step(q, [count = element_count(q.in[0].shape.numbers())](const LaunchArgs& args) {
    in_parallel(count, int64_t{1} << 15, [&](int64_t begin, int64_t end) {
      look_up(static_cast<const uint8_t*>(args.in[0]) + begin, static_cast<const T*>(args.in[1]), static_cast<T*>(args.out[0]) + begin, end - begin);
    });
  });
  allow_in_place(*step, q, {0});
  return step;
}

std::unique_ptr<Step> prepare(const Lookup&, const KernelQuery& q) {
  switch (element_bytes(q.out[0])) {
    case 1: return step_of<uint8_t>(q);
    case 2: return step_of<uint16_t>(q);
    default: return step_of<uint32_t>(q);
  }
}

}  // namespace

std::unique_ptr<Kernel> make_lookup_kernel(const OneDnnPtr&) { return std::make_unique<KernelFor<Lookup, supports, prepare>>("cpu.lookup"); }

}  // namespace onecard
