#include "lib/ops/roi_align.h"

#include <algorithm>
#include <cmath>

#include "lib/base/parallel.h"
#include "lib/ops/onnx_enum.h"
#include "lib/ops/real_values.h"

namespace onecard {

namespace {

constexpr OnnxName kNames[] = {{"", "RoiAlign", 10}};
constexpr int64_t kExtentLimit = 1 << 20;
constexpr double kSamplesLimit = 1 << 14;

// One axis of a region: where its bins lie and how many samples each takes.
struct RoiAxis {
  double start = 0, bin = 0;
  int64_t samples = 0;
};

RoiAxis roi_axis(const RoiAlign& op, double begin, double end, int64_t bins) {
  const double offset = op.offset == RoiOffset::half_pixel ? 0.5 : 0.0, start = begin * op.spatial_scale - offset;
  double length = end * op.spatial_scale - offset - start;
  if (op.offset == RoiOffset::none) length = std::max(length, 1.0);
  RoiAxis axis{start, length / static_cast<double>(bins), op.samples};
  const double wanted = std::ceil(axis.bin);
  require(std::isfinite(start) && std::isfinite(length) && (op.samples > 0 || wanted <= kSamplesLimit), ErrorKind::model,
          "a region of interest from ", begin, " to ", end, " takes too many samples");
  if (op.samples == 0) axis.samples = std::max<int64_t>(0, static_cast<int64_t>(wanted));
  return axis;
}

// The two elements around a position and the second one's share; nothing when the position is outside.
struct Between {
  int64_t low = 0, high = 0;
  double share = 0;
  bool outside = false;
};

Between between(double at, int64_t extent) {
  if (!(at >= -1.0 && at <= static_cast<double>(extent))) return {0, 0, 0, true};
  at = std::max(at, 0.0);
  const auto low = static_cast<int64_t>(at);
  if (low >= extent - 1) return {extent - 1, extent - 1, 0, false};
  return {low, low + 1, at - static_cast<double>(low), false};
}

double bin_value(const RoiAlign& op, const double* x, int64_t height, int64_t width, const RoiAxis& ys, const RoiAxis& xs, int64_t row,
                 int64_t column) {
  double sum = 0, most = -INFINITY;
  for (int64_t i = 0; i < ys.samples; ++i) {
    const Between y =
        between(ys.start + (static_cast<double>(row) + (static_cast<double>(i) + 0.5) / static_cast<double>(ys.samples)) * ys.bin, height);
    for (int64_t j = 0; j < xs.samples; ++j) {
      const Between h =
          between(xs.start + (static_cast<double>(column) + (static_cast<double>(j) + 0.5) / static_cast<double>(xs.samples)) * xs.bin, width);
      double parts[4] = {0, 0, 0, 0};
      if (!y.outside && !h.outside) {
        parts[0] = (1 - y.share) * (1 - h.share) * x[y.low * width + h.low], parts[1] = (1 - y.share) * h.share * x[y.low * width + h.high];
        parts[2] = y.share * (1 - h.share) * x[y.high * width + h.low], parts[3] = y.share * h.share * x[y.high * width + h.high];
      }
      sum += parts[0] + parts[1] + parts[2] + parts[3];
      most = std::max(most, *std::max_element(parts, parts + 4));
    }
  }
  const int64_t samples = ys.samples * xs.samples;
  if (op.mode == RoiMode::max) return samples > 0 ? most : 0.0;
  return sum / static_cast<double>(std::max<int64_t>(samples, 1));
}

}  // namespace

std::vector<TensorType> RoiAlign::infer(const InferContext& in) const {
  const Shape &x = in.shape(0), &rois = in.shape(1), &batches = in.shape(2);
  visit_float(in.dtype(0), [](auto) {});
  visit_float(in.dtype(1), [](auto) {});
  require(is_integer(in.dtype(2)), ErrorKind::model, "batch_indices is ", info(in.dtype(2)).name);
  require(height >= 1 && width >= 1 && height <= kExtentLimit && width <= kExtentLimit, ErrorKind::model, "the result would be ", height, " by ",
          width);
  require(samples >= 0 && static_cast<double>(samples) <= kSamplesLimit, ErrorKind::model, "sampling_ratio is ", samples);
  require(!x.has_rank() || x.rank() == 4, ErrorKind::model, "x has shape ", x);
  require(!rois.has_rank() || (rois.rank() == 2 && (!rois[1].is_number() || rois[1] == Dim(4))), ErrorKind::model, "rois has shape ", rois);
  require(!batches.has_rank() || batches.rank() == 1, ErrorKind::model, "batch_indices has shape ", batches);
  Dim count = rois.has_rank() ? rois[0] : Dim::unknown();
  if (!count.is_number() && batches.has_rank()) count = batches[0];
  return {TensorType(in.dtype(0), Shape{count, x.has_rank() ? x[1] : Dim::unknown(), height, width})};
}

void RoiAlign::reference(Inputs in, Outputs out) const {
  const Dims dims = in[0]->dims();
  const std::vector<double> x = to_doubles(*in[0]), rois = to_doubles(*in[1]);
  const std::vector<int64_t> batch = to_ints(*in[2]);
  const auto regions = static_cast<int64_t>(batch.size());
  require(rois.size() == batch.size() * 4, ErrorKind::model, rois.size() / 4, " regions of interest with ", batch.size(), " batch indices");
  if (!out[0].has_value()) out[0] = Tensor(in[0]->dtype(), {regions, dims[1], height, width});
  if (out[0].elements() == 0) return;
  require(dims[2] > 0 && dims[3] > 0, ErrorKind::model, "regions of an empty image");
  for (int64_t b : batch) require(b >= 0 && b < dims[0], ErrorKind::model, "batch index ", b, " of ", dims[0]);
  parallel_for(regions, 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const double* roi = rois.data() + r * 4;
      const RoiAxis xs = roi_axis(*this, roi[0], roi[2], width), ys = roi_axis(*this, roi[1], roi[3], height);
      for (int64_t c = 0; c < dims[1]; ++c)
        for (int64_t i = 0; i < height * width; ++i) {
          const double* plane = x.data() + (batch[static_cast<size_t>(r)] * dims[1] + c) * dims[2] * dims[3];
          const double v = bin_value(*this, plane, dims[2], dims[3], ys, xs, i / width, i % width);
          store_doubles(out[0], (r * dims[1] + c) * height * width + i, {&v, 1});
        }
    }
  });
}

std::optional<OnnxForm> RoiAlign::to_onnx(const Node&) const {
  return OnnxForm{"RoiAlign",
                  {{"mode", std::string(mode == RoiMode::average ? "avg" : "max")},
                   {"coordinate_transformation_mode", std::string(offset == RoiOffset::half_pixel ? "half_pixel" : "output_half_pixel")},
                   {"output_height", height},
                   {"output_width", width},
                   {"sampling_ratio", samples},
                   {"spatial_scale", spatial_scale}},
                  ""};
}

const std::span<const OnnxName> RoiAlign::kOnnx{kNames};

std::vector<Value*> RoiAlign::from_onnx(const OnnxNode& node) {
  RoiAlign op;
  op.mode = onnx_enum<RoiMode>(node, "mode", "avg", {{"avg", RoiMode::average}, {"max", RoiMode::max}});
  // Before opset 16 there was no half-pixel shift.
  op.offset = onnx_enum<RoiOffset>(node, "coordinate_transformation_mode", node.opset < 16 ? "output_half_pixel" : "half_pixel",
                                   {{"half_pixel", RoiOffset::half_pixel}, {"output_half_pixel", RoiOffset::none}});
  op.height = node.attr<int64_t>("output_height", 1);
  op.width = node.attr<int64_t>("output_width", 1);
  op.samples = node.attr<int64_t>("sampling_ratio", 0);
  op.spatial_scale = node.attr<float>("spatial_scale", 1.0f);
  return node.add_all(std::move(op), {node.needed(0), node.needed(1), node.needed(2)});
}

DEFINE_OP(RoiAlign)

}  // namespace onecard
