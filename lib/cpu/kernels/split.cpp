#include "lib/cpu/kernels.h"
#include "lib/cpu/strided_copy.h"
#include "lib/ops/axes.h"
#include "lib/ops/data_ops.h"

namespace onecard {
namespace {

// What goes to one output, and where it starts in x.
struct Part {
  StridedCopy copy;
  int64_t offset_bytes = 0;
};

std::optional<std::vector<Part>> parts_of(const Split& op, const KernelQuery& q) {
  const Dims x = q.in[0].shape.numbers();
  const AxisView view = axis_view(x, op.axis);
  const int64_t width = element_bytes(q.in[0]);
  std::vector<Part> parts;
  int64_t offset = 0;
  for (const TensorType& y : q.out) {
    const int64_t run = axis_view(y.shape.numbers(), op.axis).extent * view.inner;
    const auto copy = StridedCopy::make({view.outer, run}, {view.extent * view.inner, 1}, {run, 1}, width);
    if (!copy) return std::nullopt;
    parts.push_back({*copy, offset * width});
    offset += run;
  }
  if (offset != view.extent * view.inner) return std::nullopt;
  return parts;
}

Support supports(const Split& op, const KernelQuery& q) {
  if (const Support s = plain_operands(q); !s) return s;
  for (const TensorType& y : q.out)
    if (y.container == Container::none) return no("an output is absent");
  return parts_of(op, q) ? yes() : no("the pieces do not make up x");
}

std::unique_ptr<Step> prepare(const Split& op, const KernelQuery& q) {
  if (q.out.size() == 1) return view_step(q);
  return plain_step(q, [parts = *parts_of(op, q)](const LaunchArgs& args) {
    for (size_t i = 0; i < parts.size(); ++i)
      if (args.out[i]) parts[i].copy.run(static_cast<const char*>(args.in[0]) + parts[i].offset_bytes, args.out[i]);
  });
}

}  // namespace

std::unique_ptr<Kernel> make_split_kernel(const OneDnnPtr&) { return std::make_unique<KernelFor<Split, supports, prepare>>("cpu.split"); }

}  // namespace onecard
