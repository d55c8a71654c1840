#pragma once
#include <functional>
#include <optional>

#include "lib/base/parallel.h"
#include "lib/device/kernel.h"

namespace onecard {

// Whether every operand that is there is a static tensor in whole bytes; what our own kernels can read and write.
Support plain_operands(const KernelQuery& q);
// The same, and all of them are unquantized f32.
Support plain_floats(const KernelQuery& q);
// The integers of input i when they are a resident constant.
std::optional<std::vector<int64_t>> known_ints(const KernelQuery& q, size_t i);
inline int64_t element_bytes(const TensorType& t) { return info(t.dtype).bits / 8; }

// parallel_for without an allocation for the body.
template <class F>
void in_parallel(int64_t count, int64_t grain, const F& body) {
  parallel_for(count, grain, std::cref(body));
}

// A step over row-major operands that is one function of the launch's arguments.
template <class F>
class PlainStep : public Step {
 public:
  PlainStep(const KernelQuery& q, F run) : run_(std::move(run)) {
    in_layouts.resize(q.in.size());
    out_layouts.resize(q.out.size());
  }
  void launch(const LaunchArgs& args) const override { run_(args); }

 private:
  F run_;
};
template <class F>
std::unique_ptr<Step> plain_step(const KernelQuery& q, F run) {
  return std::make_unique<PlainStep<F>>(q, std::move(run));
}
// A step that does nothing: output 0 is the bytes of `input`.
std::unique_ptr<Step> view_step(const KernelQuery& q, int input = 0);
// Lets output 0 overwrite each of these inputs that has its shape and element size.
void allow_in_place(Step& step, const KernelQuery& q, std::initializer_list<size_t> inputs);

}  // namespace onecard
