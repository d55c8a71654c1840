#pragma once
#include <optional>

#include "lib/device/kernel.h"

namespace onecard::cuda {

// Kernels count elements and offsets in 32 bits.
constexpr int64_t kMostElements = (int64_t{1} << 31) - 1;

// Whether every operand that is there is a static tensor of whole bytes with at most kMostElements.
Support plain_operands(const KernelQuery& q);
// The same, and all of them are unquantized f32.
Support plain_floats(const KernelQuery& q);
// The integers of input i when they are a resident constant.
std::optional<std::vector<int64_t>> known_ints(const KernelQuery& q, size_t i);
inline int element_bytes(const TensorType& t) { return info(t.dtype).bits / 8; }
inline int elements_of(const TensorType& t) { return static_cast<int>(element_count(t.shape.numbers())); }

// A step over row-major operands that is one function of the launch's arguments.
template <class F>
class FunctionStep : public Step {
 public:
  FunctionStep(const KernelQuery& q, F run) : run_(std::move(run)) {
    in_layouts.resize(q.in.size());
    out_layouts.resize(q.out.size());
  }
  void launch(const LaunchArgs& args) const override { run_(args); }

 private:
  F run_;
};
template <class F>
std::unique_ptr<Step> make_step(const KernelQuery& q, F run) {
  return std::make_unique<FunctionStep<F>>(q, std::move(run));
}
// A step that launches nothing: output 0 is the bytes of input 0.
std::unique_ptr<Step> view_step(const KernelQuery& q);
// Lets output 0 overwrite input i where that has the output's shape and element size.
void allow_in_place(Step& step, const KernelQuery& q, size_t i);

// Input and output i as elements of T; null for what is absent.
template <class T>
const T* in(const LaunchArgs& args, size_t i) { return i < args.in.size() ? static_cast<const T*>(args.in[i]) : nullptr; }
template <class T>
T* out(const LaunchArgs& args, size_t i = 0) { return static_cast<T*>(args.out[i]); }

}  // namespace onecard::cuda
