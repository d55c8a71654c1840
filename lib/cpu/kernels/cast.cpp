#include <algorithm>
#include <cmath>

#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"
#include "lib/ops/shape_ops.h"

namespace onecard {
namespace {

// As `convert` does it: numbers pass through double to and from floats, through 64 bits between integers.
template <class To, class From>
To converted(From v) {
  if constexpr (std::is_same_v<To, bool>) {
    return v != 0;
  } else if constexpr (std::is_integral_v<From> && std::is_integral_v<To>) {
    return static_cast<To>(v);
  } else if constexpr (std::is_integral_v<From>) {
    return static_cast<To>(static_cast<double>(v));
  } else if constexpr (std::is_integral_v<To>) {
    constexpr double kLimit = 9.2233720368547758e18;
    const double d = v;
    if (d >= kLimit) return static_cast<To>(static_cast<uint64_t>(std::min(d, 1.8446744073709549e19)));
    return d == d ? static_cast<To>(static_cast<int64_t>(std::max(d, -kLimit))) : To{0};
  } else {
    return static_cast<To>(v);
  }
}

bool is_plain_number(DType t) {
  return t == DType::f32 || t == DType::f64 || t == DType::i32 || t == DType::i64 || t == DType::i8 || t == DType::u8 || t == DType::boolean;
}

template <class F>
void visit_plain(DType t, F&& body) {
  switch (t) {
    case DType::f32: return body(TypeTag<float>{});
    case DType::f64: return body(TypeTag<double>{});
    case DType::i32: return body(TypeTag<int32_t>{});
    case DType::i64: return body(TypeTag<int64_t>{});
    case DType::i8: return body(TypeTag<int8_t>{});
    case DType::u8: return body(TypeTag<uint8_t>{});
    default: return body(TypeTag<bool>{});
  }
}

template <class From, class To>
void cast_all(const void* from, void* to, int64_t count) {
  const auto* x = static_cast<const From*>(from);
  auto* y = static_cast<To*>(to);
  in_parallel(count, 8192, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = converted<To>(x[i]);
  });
}

template <class To>
void halves_to(const void* from, void* to, int64_t count) {
  const auto* x = static_cast<const To*>(from);
  auto* y = static_cast<float*>(to);
  in_parallel(count, 4096, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = x[i];
  });
}
template <class To>
void to_halves(const void* from, void* to, int64_t count) {
  const auto* x = static_cast<const float*>(from);
  auto* y = static_cast<To*>(to);
  in_parallel(count, 4096, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = To(x[i]);
  });
}

using CastAll = void (*)(const void*, void*, int64_t);

CastAll find(DType from, DType to) {
  if (from == DType::f16 && to == DType::f32) return halves_to<Half>;
  if (from == DType::bf16 && to == DType::f32) return halves_to<BFloat16>;
  if (from == DType::f32 && to == DType::f16) return to_halves<Half>;
  if (from == DType::f32 && to == DType::bf16) return to_halves<BFloat16>;
  if (!is_plain_number(from) || !is_plain_number(to)) return nullptr;
  CastAll found = nullptr;
  visit_plain(from, [&]<class From>(TypeTag<From>) { visit_plain(to, [&]<class To>(TypeTag<To>) { found = cast_all<From, To>; }); });
  return found;
}

Support supports(const Cast& op, const KernelQuery& q) {
  if (const Support s = plain_operands(q); !s) return s;
  return !q.in[0].quant && find(q.in[0].dtype, op.to) ? yes() : no("rare types: " + q.in[0].text() + " to " + std::string(info(op.to).name));
}

std::unique_ptr<Step> prepare(const Cast& op, const KernelQuery& q) {
  const CastAll run = find(q.in[0].dtype, op.to);
  const int64_t count = element_count(q.in[0].shape.numbers());
  auto step = plain_step(q, [run, count](const LaunchArgs& args) { run(args.in[0], args.out[0], count); });
  allow_in_place(*step, q, {0});
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_cast_kernel(const OneDnnPtr&) { return std::make_unique<KernelFor<Cast, supports, prepare>>("cpu.cast"); }

}  // namespace onecard
