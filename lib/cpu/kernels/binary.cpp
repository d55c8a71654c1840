#include "lib/ops/binary.h"

#include "lib/cpu/kernels.h"

namespace onecard {
namespace {

using dnnl::algorithm;
using dnnl::memory;
constexpr auto kF32 = memory::data_type::f32;

std::optional<algorithm> algorithm_of(BinaryFn fn) {
  switch (fn) {
    case BinaryFn::add: return algorithm::binary_add;
    case BinaryFn::sub: return algorithm::binary_sub;
    case BinaryFn::mul: return algorithm::binary_mul;
    case BinaryFn::div: return algorithm::binary_div;
    // Not max and min: oneDNN's lose NaN.
    default: return std::nullopt;
  }
}

bool commutes(BinaryFn fn) { return fn != BinaryFn::sub && fn != BinaryFn::div; }

// How the two operands meet: the big one has y's shape, the other is broadcast to it.
struct Sides {
  size_t big = 0, small = 1;
  memory::desc big_desc, small_desc;
};

Dims padded(const TensorType& t, size_t rank) {
  Dims dims = t.shape.numbers();
  dims.insert(dims.begin(), rank - dims.size(), 1);
  return dims;
}

// Keeps a blocked layout when the other operand can be had in the same format; plain otherwise.
void choose_layouts(Sides& s, const KernelQuery& q, const Dims& y) {
  const Dims small = padded(q.in[s.small], y.size());
  for (const size_t source : {s.big, s.small}) {
    const Layout& layout = q.in_layouts[source];
    if (!layout || (source == s.small && small != y)) continue;
    const memory::desc wanted = desc_of(q.in[source], layout);
    if (wanted.get_dims() != y) continue;
    // One number looks the same in every format.
    const auto other = element_count(small) == 1 ? std::optional(plain_desc(small, kF32)) : same_format(wanted, small, kF32);
    // A broadcast operand of lower rank is plain in the graph and has no layout that the plan could change it to.
    if (!other || (q.in[s.small].shape.rank() != static_cast<int64_t>(y.size()) && layout_of(*other))) continue;
    s.big_desc = wanted;
    s.small_desc = *other;
    return;
  }
  s.big_desc = plain_desc(y, kF32);
  s.small_desc = plain_desc(small, kF32);
}

Built build(const Binary& op, const KernelQuery& q, const OneDnnPtr& library) {
  if (const Support s = plain_f32(q); !s) return s;
  const auto algorithm = algorithm_of(op.fn);
  if (!algorithm) return no("oneDNN has no " + std::string(kBinaryFnNames[static_cast<size_t>(op.fn)]));
  const Dims y = q.out[0].shape.numbers();
  Sides s;
  if (q.in[0].shape != q.out[0].shape) {
    if (q.in[1].shape != q.out[0].shape) return no("both operands are broadcast");
    if (!commutes(op.fn)) return no("the left operand is broadcast");
    std::swap(s.big, s.small);
  }
  if (y.empty()) s.big_desc = s.small_desc = plain_desc({1}, kF32);
  else choose_layouts(s, q, y);
  const auto make = [&] {
    return dnnl::binary::primitive_desc(library->engine, *algorithm, s.big_desc, s.small_desc, s.big_desc, make_attr(), true);
  };
  auto desc = make();
  if (is_slow(desc) && layout_of(s.big_desc)) {
    s.big_desc = plain_desc(y, kF32);
    s.small_desc = plain_desc(padded(q.in[s.small], y.size()), kF32);
    desc = make();
  }
  if (is_slow(desc)) return no("oneDNN has no compiled code for this broadcast");
  auto step = std::make_unique<OneDnnStep>(library, q);
  step->set(desc);
  step->in(DNNL_ARG_SRC_0, s.big_desc, s.big);
  step->in(DNNL_ARG_SRC_1, s.small_desc, s.small);
  step->out(DNNL_ARG_DST, s.big_desc);
  step->in_place.push_back({0, s.big});
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_binary_kernel(const OneDnnPtr& library) {
  return std::make_unique<OneDnnKernel<Binary, build>>("onednn.binary", library);
}

}  // namespace onecard
