#include "lib/ops/stft.h"

#include "lib/base/parallel.h"
#include "lib/ops/fourier.h"
#include "lib/ops/real_values.h"

namespace onecard {

namespace {

constexpr OnnxName kNames[] = {{"", "STFT", 17}};

// An optional scalar input as far as known; `absent` when it is not there.
Dim scalar(const InferContext& in, size_t i, const Dim& absent) {
  if (!in.has(i)) return absent;
  const auto v = in.contents(i);
  return v && v->size() == 1 ? (*v)[0] : Dim::unknown();
}

}  // namespace

std::vector<TensorType> Stft::infer(const InferContext& in) const {
  const TensorType& x = in.type(0);
  visit_float(x.dtype, [](auto) {});
  if (!x.shape.has_rank()) return {TensorType(x.dtype, Shape::unknown(4))};
  require(x.shape.rank() == 2 || x.shape.rank() == 3, ErrorKind::model, "the signal has shape ", x.shape);
  if (in.has(2))
    require(in.dtype(2) == x.dtype && (!in.shape(2).has_rank() || in.shape(2).rank() == 1), ErrorKind::model, "the window is ", in.type(2));
  const Dim parts = x.shape.rank() == 3 ? x.shape[2] : Dim(1);
  if (const auto p = parts.maybe())
    require(*p == 1 || (*p == 2 && sides == Sides::two), ErrorKind::model, "the signal's last extent is ", *p,
            "; one-sided spectra are of real signals");
  const Dim window = in.has(2) ? (in.shape(2).has_rank() ? in.shape(2)[0] : Dim::unknown()) : x.shape[1];
  const Dim step = scalar(in, 1, Dim::unknown()), length = scalar(in, 3, window);
  if (const auto s = step.maybe()) require(*s >= 1, ErrorKind::model, "frame_step is ", *s);
  if (const auto l = length.maybe()) require(*l >= 1, ErrorKind::model, "frame_length is ", *l);
  const Dim rest = x.shape[1] - length;
  if (const auto r = rest.maybe()) require(*r >= 0, ErrorKind::model, "a frame of ", length, " does not fit a signal of ", x.shape[1]);
  const Dim frames = step.is_number() ? rest / step + 1 : Dim::unknown();
  return {TensorType(x.dtype, Shape{x.shape[0], frames, sides == Sides::one ? length / 2 + 1 : length, 2})};
}

void Stft::reference(Inputs in, Outputs out) const {
  if (out[0].elements() == 0) return;
  const Dims dims = in[0]->dims();
  const std::vector<double> x = to_doubles(*in[0]);
  const std::vector<double> window = in.size() > 2 && in[2] ? to_doubles(*in[2]) : std::vector<double>{};
  const int64_t parts = dims.size() == 3 ? dims[2] : 1, step = in[1]->int_at(0), frames = out[0].dims()[1], frequencies = out[0].dims()[2];
  const int64_t length = in.size() > 3 && in[3] ? in[3]->int_at(0) : window.empty() ? dims[1] : static_cast<int64_t>(window.size());
  parallel_for(dims[0] * frames, 1, [&](int64_t begin, int64_t end) {
    std::vector<std::complex<double>> v;
    for (int64_t i = begin; i < end; ++i) {
      v.assign(static_cast<size_t>(length), 0.0);
      const double* from = x.data() + (i / frames * dims[1] + i % frames * step) * parts;
      for (size_t t = 0; t < v.size(); ++t) {
        const double w = window.empty() ? 1.0 : t < window.size() ? window[t] : 0.0;
        v[t] = {from[t * static_cast<size_t>(parts)] * w, parts == 2 ? from[t * 2 + 1] * w : 0.0};
      }
      fourier(v, -1);
      for (int64_t k = 0; k < frequencies; ++k) {
        const double numbers[] = {v[static_cast<size_t>(k)].real(), v[static_cast<size_t>(k)].imag()};
        store_doubles(out[0], (i * frequencies + k) * 2, numbers);
      }
    }
  });
}

std::optional<OnnxForm> Stft::to_onnx(const Node&) const { return OnnxForm{"STFT", {{"onesided", int64_t{sides == Sides::one}}}, ""}; }

const std::span<const OnnxName> Stft::kOnnx{kNames};

std::vector<Value*> Stft::from_onnx(const OnnxNode& node) {
  Stft op;
  op.sides = node.attr<int64_t>("onesided", 1) != 0 ? Sides::one : Sides::two;
  std::vector<Value*> in{node.needed(0), node.needed(1), node.input(2), node.input(3)};
  while (!in.back()) in.pop_back();
  return node.add_all(std::move(op), std::move(in));
}

DEFINE_OP(Stft)

}  // namespace onecard
