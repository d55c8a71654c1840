// Elementwise functions: f32 for all real ones, integers where they are exact, boolean not and the tests of floats.
#include "cuda/functions.h"
#include "cuda/kernels.h"
#include "cuda/launch.cuh"
#include "cuda/step.h"
#include "lib/ops/unary.h"

namespace onecard::cuda {
namespace {

struct FloatEach {
  const float* x;
  float* y;
  Activation f;
  ANYWHERE void operator()(int i) const { y[i] = apply_float(f, x[i]); }
};

struct FloatTestEach {
  const float* x;
  bool* y;
  Activation f;
  ANYWHERE void operator()(int i) const {
    const float v = x[i];
    const bool infinite = fabsf(v) == INFINITY && (v < 0 ? f.alpha != 0 : f.beta != 0);
    y[i] = f.fn == Fn::isnan ? v != v : infinite;
  }
};

template <class T>
struct IntegerEach {
  const T* x;
  T* y;
  Fn f;
  ANYWHERE void operator()(int i) const { y[i] = apply_integer(f, x[i]); }
};

struct NotEach {
  const bool* x;
  bool* y;
  ANYWHERE void operator()(int i) const { y[i] = !x[i]; }
};

bool is_test(Fn f) { return f == Fn::isnan || f == Fn::isinf; }

Support supports(const Unary& op, const KernelQuery& q) {
  if (q.in[0].container != Container::tensor) return no("not a tensor: " + q.in[0].text());
  if (Support s = plain_operands(q); !s) return s;
  if (op.f.fn == Fn::identity) return yes();
  const DType t = q.in[0].dtype;
  if (q.in[0].quant) return no("quantized: " + q.in[0].text());
  const bool known = t == DType::f32 || t == DType::i32 || t == DType::i64 || t == DType::u8 || t == DType::i8 || t == DType::boolean;
  return known ? yes() : no("no kernel for " + q.in[0].text());
}

template <class T>
std::unique_ptr<Step> integer_step(const KernelQuery& q, Fn f, int count) {
  return make_step(q, [=](const LaunchArgs& a) { launch_each(IntegerEach<T>{in<T>(a, 0), out<T>(a), f}, count, a.queue); });
}

std::unique_ptr<Step> step_of(const Unary& op, const KernelQuery& q) {
  const Activation f = op.f;
  const int count = elements_of(q.in[0]);
  if (is_test(f.fn)) return make_step(q, [=](const LaunchArgs& a) { launch_each(FloatTestEach{in<float>(a, 0), out<bool>(a), f}, count, a.queue); });
  switch (q.in[0].dtype) {
    case DType::f32: return make_step(q, [=](const LaunchArgs& a) { launch_each(FloatEach{in<float>(a, 0), out<float>(a), f}, count, a.queue); });
    case DType::boolean: return make_step(q, [=](const LaunchArgs& a) { launch_each(NotEach{in<bool>(a, 0), out<bool>(a)}, count, a.queue); });
    case DType::i32: return integer_step<int32_t>(q, f.fn, count);
    case DType::i64: return integer_step<int64_t>(q, f.fn, count);
    case DType::u8: return integer_step<uint8_t>(q, f.fn, count);
    default: return integer_step<int8_t>(q, f.fn, count);
  }
}

std::unique_ptr<Step> prepare(const Unary& op, const KernelQuery& q) {
  if (op.f.fn == Fn::identity) return view_step(q);
  auto step = step_of(op, q);
  allow_in_place(*step, q, 0);
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_unary_kernel() { return std::make_unique<KernelFor<Unary, supports, prepare>>("cuda.unary"); }

}  // namespace onecard::cuda
