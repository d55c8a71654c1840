#include "lib/ops/max_roi_pool.h"

#include <algorithm>
#include <cmath>

#include "lib/base/parallel.h"
#include "lib/ops/real_values.h"

namespace onecard {

namespace {

constexpr OnnxName kNames[] = {{"", "MaxRoiPool", 1}};
constexpr int64_t kExtentLimit = 1 << 20;

struct Range {
  int64_t begin, end;
};

// The elements of bin `i` of a region from `first` to `last` inclusive, cut to the image.
Range bin_range(int64_t first, int64_t last, int64_t i, int64_t bins, int64_t extent) {
  const double size = static_cast<double>(std::max<int64_t>(last - first + 1, 1)) / static_cast<double>(bins);
  const auto begin = static_cast<int64_t>(std::floor(static_cast<double>(i) * size)),
             end = static_cast<int64_t>(std::ceil(static_cast<double>(i + 1) * size));
  return {std::clamp<int64_t>(begin + first, 0, extent), std::clamp<int64_t>(end + first, 0, extent)};
}

int64_t scaled(double v, double scale) {
  const double at = std::round(v * scale);
  require(std::abs(at) < 1e9, ErrorKind::model, "a region of interest reaches to ", v);
  return static_cast<int64_t>(at);
}

}  // namespace

std::vector<TensorType> MaxRoiPool::infer(const InferContext& in) const {
  const Shape &x = in.shape(0), &rois = in.shape(1);
  visit_float(in.dtype(0), [](auto) {});
  visit_float(in.dtype(1), [](auto) {});
  require(height >= 1 && width >= 1 && height <= kExtentLimit && width <= kExtentLimit, ErrorKind::model, "pooled_shape is ", height, " by ", width);
  require(!x.has_rank() || x.rank() == 4, ErrorKind::model, "x has shape ", x);
  require(!rois.has_rank() || (rois.rank() == 2 && (!rois[1].is_number() || rois[1] == Dim(5))), ErrorKind::model, "rois has shape ", rois);
  return {TensorType(in.dtype(0), Shape{rois.has_rank() ? rois[0] : Dim::unknown(), x.has_rank() ? x[1] : Dim::unknown(), height, width})};
}

void MaxRoiPool::reference(Inputs in, Outputs out) const {
  const Dims dims = in[0]->dims();
  const std::vector<double> x = to_doubles(*in[0]), rois = to_doubles(*in[1]);
  const int64_t regions = in[1]->dims()[0], channels = dims[1];
  if (!out[0].has_value()) out[0] = Tensor(in[0]->dtype(), {regions, channels, height, width});
  parallel_for(regions, 1, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const double* roi = rois.data() + r * 5;
      require(roi[0] >= 0 && roi[0] < static_cast<double>(dims[0]), ErrorKind::model, "batch index ", roi[0], " of ", dims[0]);
      const int64_t x1 = scaled(roi[1], spatial_scale), y1 = scaled(roi[2], spatial_scale), x2 = scaled(roi[3], spatial_scale),
                    y2 = scaled(roi[4], spatial_scale);
      for (int64_t i = 0; i < channels * height * width; ++i) {
        const Range rows = bin_range(y1, y2, i / width % height, height, dims[2]), columns = bin_range(x1, x2, i % width, width, dims[3]);
        const double* plane = x.data() + (static_cast<int64_t>(roi[0]) * channels + i / width / height) * dims[2] * dims[3];
        double most = rows.begin < rows.end && columns.begin < columns.end ? -INFINITY : 0.0;
        for (int64_t y = rows.begin; y < rows.end; ++y)
          for (int64_t c = columns.begin; c < columns.end; ++c) most = std::max(most, plane[y * dims[3] + c]);
        store_doubles(out[0], r * channels * height * width + i, {&most, 1});
      }
    }
  });
}

std::optional<OnnxForm> MaxRoiPool::to_onnx(const Node&) const {
  return OnnxForm{"MaxRoiPool", {{"pooled_shape", std::vector<int64_t>{height, width}}, {"spatial_scale", spatial_scale}}, ""};
}

const std::span<const OnnxName> MaxRoiPool::kOnnx{kNames};

std::vector<Value*> MaxRoiPool::from_onnx(const OnnxNode& node) {
  MaxRoiPool op;
  const auto shape = node.needed_attr<std::vector<int64_t>>("pooled_shape");
  require(shape.size() == 2, ErrorKind::model, "pooled_shape has ", shape.size(), " numbers");
  op.height = shape[0];
  op.width = shape[1];
  op.spatial_scale = node.attr<float>("spatial_scale", 1.0f);
  return node.add_all(std::move(op), {node.needed(0), node.needed(1)});
}

DEFINE_OP(MaxRoiPool)

}  // namespace onecard
