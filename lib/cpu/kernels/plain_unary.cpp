#include "lib/cpu/float_rows.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"
#include "lib/ops/arithmetic.h"
#include "lib/ops/unary.h"

namespace onecard {
namespace {

using IntegerRow = void (*)(const void* x, void* y, int64_t n);

template <class T, class F>
void integer_row(const void* from, void* to, int64_t n) {
  const auto* x = static_cast<const T*>(from);
  auto* y = static_cast<T*>(to);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = F{}(x[i]);
}
struct Negated {
  template <class T>
  T operator()(T x) const {
    return wrap<T>(uint64_t{0} - static_cast<uint64_t>(x));
  }
};
struct Magnitude {
  template <class T>
  T operator()(T x) const {
    return x > 0 ? x : Negated{}(x);
  }
};
struct Positive {
  template <class T>
  T operator()(T x) const {
    return x > 0 ? x : T{0};
  }
};
struct SignOf {
  template <class T>
  T operator()(T x) const {
    return x > 0 ? T{1} : x == 0 ? T{0} : static_cast<T>(-1);
  }
};
struct Squared {
  template <class T>
  T operator()(T x) const {
    return wrap<T>(static_cast<uint64_t>(x) * static_cast<uint64_t>(x));
  }
};
struct Inverted {
  template <class T>
  T operator()(T x) const {
    return wrap<T>(~static_cast<uint64_t>(x));
  }
};
struct Not {
  uint8_t operator()(uint8_t x) const { return x == 0; }
};

template <class T>
IntegerRow find_integer(Fn fn) {
  switch (fn) {
    case Fn::neg: return integer_row<T, Negated>;
    case Fn::abs: return integer_row<T, Magnitude>;
    case Fn::relu: return integer_row<T, Positive>;
    case Fn::sign: return integer_row<T, SignOf>;
    case Fn::square: return integer_row<T, Squared>;
    case Fn::bitwise_not: return integer_row<T, Inverted>;
    default: return nullptr;
  }
}

IntegerRow find_integer(Fn fn, DType t) {
  switch (t) {
    case DType::boolean: return fn == Fn::logical_not ? integer_row<uint8_t, Not> : nullptr;
    case DType::i64: return find_integer<int64_t>(fn);
    case DType::i32: return find_integer<int32_t>(fn);
    case DType::i8: return find_integer<int8_t>(fn);
    case DType::u8: return find_integer<uint8_t>(fn);
    default: return nullptr;
  }
}

Support supports(const Unary& op, const KernelQuery& q) {
  if (const Support s = plain_operands(q); !s) return s;
  if (q.in[0].quant) return no("quantized: " + q.in[0].text());
  const bool found = q.in[0].dtype == DType::f32 ? float_unary_row(op.f.fn) != nullptr : find_integer(op.f.fn, q.in[0].dtype) != nullptr;
  return found ? yes() : no("no loop for " + std::string(kFnNames[static_cast<size_t>(op.f.fn)]) + " of " + std::string(info(q.in[0].dtype).name));
}

std::unique_ptr<Step> prepare(const Unary& op, const KernelQuery& q) {
  const int64_t count = element_count(q.in[0].shape.numbers()), y_bytes = element_bytes(q.out[0]);
  std::unique_ptr<Step> step;
  if (q.in[0].dtype == DType::f32) {
    step = plain_step(q, [row = float_unary_row(op.f.fn), f = op.f, count, y_bytes](const LaunchArgs& args) {
      in_parallel(count, 4096, [&](int64_t begin, int64_t end) {
        row(static_cast<const float*>(args.in[0]) + begin, static_cast<char*>(args.out[0]) + begin * y_bytes, end - begin, f.alpha, f.beta);
      });
    });
  } else {
    step = plain_step(q, [row = find_integer(op.f.fn, q.in[0].dtype), count, y_bytes](const LaunchArgs& args) {
      in_parallel(count, 8192, [&](int64_t begin, int64_t end) {
        row(static_cast<const char*>(args.in[0]) + begin * y_bytes, static_cast<char*>(args.out[0]) + begin * y_bytes, end - begin);
      });
    });
  }
  allow_in_place(*step, q, {0});
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_plain_unary_kernel(const OneDnnPtr&) { return std::make_unique<KernelFor<Unary, supports, prepare>>("cpu.unary"); }

}  // namespace onecard
