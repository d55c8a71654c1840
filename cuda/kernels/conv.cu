// Convolution of f32 over up to three spatial axes: an implicit matrix product (weights by unfolded windows) per group, or one thread per
// result where a group has few output channels (depthwise).
#include "cuda/kernels.h"
#include "cuda/product.cuh"
#include "cuda/window.h"

namespace onecard::cuda {
namespace {

constexpr int kFewOutputs = 8;                        // of a group

struct Windows {
  WindowShape w;
  int images = 1, groups = 1, group_inputs = 1, group_outputs = 1;
  const float *x = nullptr, *weights = nullptr;
  float* y = nullptr;
  Epilogue epilogue;

  using Batch = int;                                  // the group
  struct Column {                                     // one window
    int first_input;                                  // the group's first channel in x
    int first_output;                                 // the group's first result in y
    int start[3];
  };
  ANYWHERE int rows() const { return group_outputs; }
  ANYWHERE int columns() const { return images * w.out_plane; }
  ANYWHERE int depth() const { return group_inputs * w.volume; }
  ANYWHERE int batches() const { return groups; }
  ANYWHERE bool a_by_rows() const { return false; }
  ANYWHERE bool b_by_columns() const { return true; }
  ANYWHERE Batch batch(int z) const { return z; }
  ANYWHERE Column column(Batch group, int n) const {
    Column c;
    int image = n;
    int rest = w.out_by_plane.cut(image);
    c.first_input = (image * groups + group) * group_inputs * w.in_plane;
    c.first_output = (image * groups + group) * group_outputs * w.out_plane + rest;
    for (int a = 2; a >= 0; --a) c.start[a] = w.out_by_axis[a].cut(rest) * w.stride[a] - w.pad[a];
    return c;
  }
  ANYWHERE float a(Batch group, int m, int k) const { return weights[(group * group_outputs + m) * depth() + k]; }
  // Element k (channel, then position in the kernel) of a window; 0 in the padding.
  ANYWHERE float b(Batch, const Column& c, int k) const {
    int channel = k;
    int rest = w.kernel_by_volume.cut(channel), at = 0;
    int position[3];
    for (int a = 2; a >= 0; --a) position[a] = w.kernel_by_axis[a].cut(rest);
    for (int a = 0; a < 3; ++a) {
      const int in = c.start[a] + position[a] * w.dilation[a];
      if (in < 0 || in >= w.in[a]) return 0;
      at = at * w.in[a] + in;
    }
    return x[c.first_input + channel * w.in_plane + at];
  }
  ANYWHERE void finish(Batch group, int m, const Column& c, float sum) const {
    const int at = c.first_output + m * w.out_plane;
    y[at] = epilogue(sum, group * group_outputs + m, at);
  }
};

struct ConvEach {
  Windows of;
  Divider outputs;                                    // channels of y
  ANYWHERE void operator()(int i) const {
    int image = i;
    const int at = of.w.out_by_plane.cut(image), channel = outputs.cut(image);
    const int group = channel / of.group_outputs, m = channel % of.group_outputs;
    const Windows::Column c = of.column(group, image * of.w.out_plane + at);
    float sum = 0;
    for (int k = 0; k < of.depth(); ++k) sum += of.a(group, m, k) * of.b(group, c, k);
    of.finish(group, m, c, sum);
  }
};

std::optional<Windows> windows_of(const Conv& op, const KernelQuery& q) {
  const Dims x = q.in[0].shape.numbers(), w = q.in[1].shape.numbers();
  const auto shape = make_window(conv_geometry(op, x, w), x, q.out[0].shape.numbers());
  if (!shape) return std::nullopt;
  Windows made;
  made.w = *shape;
  made.images = static_cast<int>(x[0]);
  made.groups = static_cast<int>(op.group);
  made.group_inputs = static_cast<int>(w[1]);
  made.group_outputs = static_cast<int>(w[0] / op.group);
  return made;
}

Support supports(const Conv& op, const KernelQuery& q) {
  if (Support s = plain_floats(q); !s) return s;
  if (op.output) return no("the output is quantized");
  return windows_of(op, q) ? yes() : no("more than three spatial axes, or a window beyond 2^30");
}

std::unique_ptr<Step> prepare(const Conv& op, const KernelQuery& q) {
  const Windows made = *windows_of(op, q);
  const EpilogueForm form(op.activation, op.add_order);
  const int count = elements_of(q.out[0]);
  const bool direct = made.groups > 1 && made.group_outputs < kFewOutputs;
  const Divider outputs(int64_t{made.groups} * made.group_outputs);
  auto step = make_step(q, [=](const LaunchArgs& args) {
    if (count == 0) return;
    Windows of = made;
    of.x = in<float>(args, 0), of.weights = in<float>(args, 1), of.y = out<float>(args);
    of.epilogue = form.begin(args);
    if (direct) launch_each(ConvEach{of, outputs}, count, args.queue);
    else launch_product(of, args.queue);
    form.end(args, count);
  });
  step->flops = 2.0 * count * made.depth();
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_conv_kernel() { return std::make_unique<KernelFor<Conv, supports, prepare>>("cuda.conv"); }

}  // namespace onecard::cuda
