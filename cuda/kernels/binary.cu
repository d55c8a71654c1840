// Elementwise functions of two operands with broadcasting: f32, i32 and i64 arithmetic and comparisons, boolean logic.
#include "cuda/kernels.h"
#include "cuda/launch.cuh"
#include "cuda/walk.h"
#include "lib/ops/binary.h"
#include "lib/ops/broadcast_index.h"

namespace onecard::cuda {
namespace {

ANYWHERE float float_mod(float a, float b) {          // has the sign of b
  const float r = fmodf(a, b);
  return r == 0 ? copysignf(0.0f, b) : (r < 0) != (b < 0) ? r + b : r;
}

ANYWHERE float combine(BinaryFn f, float a, float b) {
  switch (f) {
    case BinaryFn::add: return a + b;
    case BinaryFn::sub: return a - b;
    case BinaryFn::mul: return a * b;
    case BinaryFn::div: return a / b;
    case BinaryFn::pow: return powf(a, b);
    case BinaryFn::max: return a != a ? a : b != b ? b : a > b ? a : b;
    case BinaryFn::min: return a != a ? a : b != b ? b : a < b ? a : b;
    case BinaryFn::fmod: return fmodf(a, b);
    case BinaryFn::mod: return float_mod(a, b);
    default: return a < 0 ? a * b : a;                // prelu
  }
}

template <class T>
ANYWHERE T power(T base, T exponent) {
  if (exponent < 0) return base == 1 ? T{1} : base == -1 ? (exponent % 2 == 0 ? T{1} : base) : T{0};
  uint64_t result = 1, factor = static_cast<uint64_t>(base);
  for (auto e = static_cast<uint64_t>(exponent); e > 0; e >>= 1, factor *= factor)
    if (e & 1u) result *= factor;
  return static_cast<T>(result);
}

// Division by zero gives 0, the one quotient that does not fit wraps around.
template <class T>
ANYWHERE T quotient(T a, T b) { return b == 0 ? T{0} : b == -1 ? static_cast<T>(0 - static_cast<uint64_t>(a)) : static_cast<T>(a / b); }
template <class T>
ANYWHERE T remainder(T a, T b) { return b == 0 || b == -1 ? T{0} : static_cast<T>(a % b); }
template <class T>
ANYWHERE T integer_mod(T a, T b) {
  const T r = remainder(a, b);
  return r != 0 && (r < 0) != (b < 0) ? static_cast<T>(r + b) : r;
}

template <class T>
ANYWHERE T combine_integers(BinaryFn f, T a, T b) {
  const auto x = static_cast<uint64_t>(a), y = static_cast<uint64_t>(b);
  constexpr uint64_t kBits = sizeof(T) * 8;
  switch (f) {
    case BinaryFn::add: return static_cast<T>(x + y);
    case BinaryFn::sub: return static_cast<T>(x - y);
    case BinaryFn::mul: return static_cast<T>(x * y);
    case BinaryFn::div: return quotient(a, b);
    case BinaryFn::pow: return power(a, b);
    case BinaryFn::max: return a > b ? a : b;
    case BinaryFn::min: return a < b ? a : b;
    case BinaryFn::fmod: return remainder(a, b);
    case BinaryFn::mod: return integer_mod(a, b);
    case BinaryFn::bitwise_and: return static_cast<T>(x & y);
    case BinaryFn::bitwise_or: return static_cast<T>(x | y);
    case BinaryFn::bitwise_xor: return static_cast<T>(x ^ y);
    case BinaryFn::shift_left: return y < kBits ? static_cast<T>(x << y) : T{0};
    case BinaryFn::shift_right: return y < kBits ? static_cast<T>(a >> y) : a < 0 ? T{-1} : T{0};
    default: return a < 0 ? static_cast<T>(x * y) : a;  // prelu
  }
}
ANYWHERE int32_t combine(BinaryFn f, int32_t a, int32_t b) { return combine_integers(f, a, b); }
ANYWHERE int64_t combine(BinaryFn f, int64_t a, int64_t b) { return combine_integers(f, a, b); }

template <class T>
ANYWHERE bool compare(BinaryFn f, T a, T b) {
  switch (f) {
    case BinaryFn::equal: return a == b;
    case BinaryFn::less: return a < b;
    case BinaryFn::less_equal: return a <= b;
    case BinaryFn::greater: return a > b;
    case BinaryFn::greater_equal: return a >= b;
    case BinaryFn::logical_and: return a && b;
    case BinaryFn::logical_or: return a || b;
    default: return (a != 0) != (b != 0);             // logical_xor
  }
}

template <class T>
struct CombineEach {
  Walk<2> walk;
  const T *a, *b;
  T* y;
  BinaryFn f;
  ANYWHERE void operator()(int i) const {
    int at[2];
    walk.offsets(i, at);
    y[i] = combine(f, a[at[0]], b[at[1]]);
  }
};

template <class T>
struct CompareEach {
  Walk<2> walk;
  const T *a, *b;
  bool* y;
  BinaryFn f;
  ANYWHERE void operator()(int i) const {
    int at[2];
    walk.offsets(i, at);
    y[i] = compare(f, a[at[0]], b[at[1]]);
  }
};

std::optional<Walk<2>> walk_of(const KernelQuery& q) {
  const Dims y = q.out[0].shape.numbers();
  return make_walk<2>(y, {broadcast_strides(q.in[0].shape.numbers(), y), broadcast_strides(q.in[1].shape.numbers(), y)});
}

Support supports(const Binary&, const KernelQuery& q) {
  if (Support s = plain_operands(q); !s) return s;
  const DType t = q.in[0].dtype;
  if (t != q.in[1].dtype) return no("operands of different types: " + q.in[0].text() + " and " + q.in[1].text());
  if (t != DType::f32 && t != DType::i32 && t != DType::i64 && t != DType::boolean) return no("no kernel for " + q.in[0].text());
  return walk_of(q) ? yes() : no("broadcasts along too many axes");
}

template <class T>
std::unique_ptr<Step> typed_step(const Binary& op, const KernelQuery& q) {
  const Walk<2> walk = *walk_of(q);
  const BinaryFn f = op.fn;
  if (q.out[0].dtype == DType::boolean)
    return make_step(q, [=](const LaunchArgs& a) { launch_each(CompareEach<T>{walk, in<T>(a, 0), in<T>(a, 1), out<bool>(a), f}, walk.count, a.queue); });
  if constexpr (!std::is_same_v<T, bool>)
    return make_step(q, [=](const LaunchArgs& a) { launch_each(CombineEach<T>{walk, in<T>(a, 0), in<T>(a, 1), out<T>(a), f}, walk.count, a.queue); });
  fail(ErrorKind::internal, "no boolean form of ", kBinaryFnNames[static_cast<size_t>(f)]);
}

std::unique_ptr<Step> prepare(const Binary& op, const KernelQuery& q) {
  const DType t = q.in[0].dtype;
  auto step = t == DType::f32   ? typed_step<float>(op, q)
              : t == DType::i32 ? typed_step<int32_t>(op, q)
              : t == DType::i64 ? typed_step<int64_t>(op, q)
                                : typed_step<bool>(op, q);
  for (const size_t i : {0, 1}) allow_in_place(*step, q, i);
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_binary_kernel() { return std::make_unique<KernelFor<Binary, supports, prepare>>("cuda.binary"); }

}  // namespace onecard::cuda
