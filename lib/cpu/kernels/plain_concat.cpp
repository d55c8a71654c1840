#include "lib/cpu/kernels.h"
#include "lib/cpu/strided_copy.h"
#include "lib/ops/axes.h"
#include "lib/ops/data_ops.h"

namespace onecard {
namespace {

struct Part {
  StridedCopy copy;
  int64_t offset_bytes = 0;
};

std::vector<Part> parts_of(const Concat& op, const KernelQuery& q) {
  const AxisView y = axis_view(q.out[0].shape.numbers(), op.axis);
  const int64_t width = element_bytes(q.out[0]);
  std::vector<Part> parts;
  int64_t offset = 0;
  for (const TensorType& x : q.in) {
    const int64_t run = axis_view(x.shape.numbers(), op.axis).extent * y.inner;
    parts.push_back({*StridedCopy::make({y.outer, run}, {run, 1}, {y.extent * y.inner, 1}, width), offset * width});
    offset += run;
  }
  return parts;
}

Support supports(const Concat&, const KernelQuery& q) {
  if (const Support s = plain_operands(q); !s) return s;
  // Equal bytes mean equal values only under one quantization.
  for (const TensorType& x : q.in)
    if (x.container == Container::none || x.dtype != q.out[0].dtype || (x.quant == nullptr) != (q.out[0].quant == nullptr) ||
        (x.quant && *x.quant != *q.out[0].quant))
      return no("x and y differ in type: " + x.text());
  return yes();
}

std::unique_ptr<Step> prepare(const Concat& op, const KernelQuery& q) {
  if (q.in.size() == 1) return view_step(q);
  return plain_step(q, [parts = parts_of(op, q)](const LaunchArgs& args) {
    for (size_t i = 0; i < parts.size(); ++i) parts[i].copy.run(args.in[i], static_cast<char*>(args.out[0]) + parts[i].offset_bytes);
  });
}

}  // namespace

std::unique_ptr<Kernel> make_plain_concat_kernel(const OneDnnPtr&) { return std::make_unique<KernelFor<Concat, supports, prepare>>("cpu.concat"); }

}  // namespace onecard
