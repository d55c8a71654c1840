#include "lib/ops/crop_and_resize.h"

#include <cmath>

#include "lib/base/parallel.h"
#include "lib/ops/movement.h"
#include "lib/ops/onnx_enum.h"
#include "lib/ops/operands.h"

namespace onecard {

namespace {

// Where one output index of an axis falls: between two pixels, or outside.
struct Place {
  int64_t low = 0, high = 0;
  float share = 0;  // of `high`
  bool inside = false;
};

std::vector<Place> places(float from, float to, int64_t extent, int64_t count, CropMode mode) {
  const auto whole = static_cast<float>(extent - 1);
  const float step = count > 1 ? (to - from) * whole / static_cast<float>(count - 1) : 0;
  std::vector<Place> all(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    Place& p = all[static_cast<size_t>(i)];
    const float at = count > 1 ? from * whole + static_cast<float>(i) * step : 0.5f * (from + to) * whole;
    p.inside = at >= 0 && at <= whole;
    if (!p.inside) continue;
    p.low = static_cast<int64_t>(mode == CropMode::nearest ? std::round(at) : std::floor(at));
    p.high = mode == CropMode::nearest ? p.low : static_cast<int64_t>(std::ceil(at));
    p.share = at - static_cast<float>(p.low);
  }
  return all;
}

template <class T>
void crop(const T* image, int64_t width, const std::vector<Place>& rows, const std::vector<Place>& columns, float outside, T* y) {
  for (const Place& r : rows)
    for (const Place& c : columns) {
      const auto at = [&](int64_t i, int64_t j) { return static_cast<double>(image[i * width + j]); };
      const double x = static_cast<double>(c.share), down = static_cast<double>(r.share);
      if (!r.inside || !c.inside) {
        *y++ = narrow<T>(static_cast<double>(outside));
        continue;
      }
      const double top = at(r.low, c.low) + (at(r.low, c.high) - at(r.low, c.low)) * x,
                   bottom = at(r.high, c.low) + (at(r.high, c.high) - at(r.high, c.low)) * x;
      *y++ = narrow<T>(r.low == r.high ? top : top + (bottom - top) * down);
    }
}

}  // namespace

std::vector<TensorType> CropAndResize::infer(const InferContext& in) const {
  const TensorType &x = float_tensor(in, 0), &boxes = float_tensor(in, 1);
  require(is_integer(tensor_type(in, 2).dtype) && is_integer(tensor_type(in, 3).dtype), ErrorKind::model,
          "batch indices and crop size must be integers");
  require(!x.shape.has_rank() || x.shape.rank() == 4, ErrorKind::model, "expects [N,C,H,W], got ", x);
  require(!boxes.shape.has_rank() || (boxes.shape.rank() == 2 && (!boxes.shape[1].is_number() || boxes.shape[1] == Dim(4))), ErrorKind::model,
          "boxes must be [R,4], not ", boxes);
  Shape y = Shape::unknown(4);
  if (boxes.shape.has_rank()) y[0] = boxes.shape[0];
  if (x.shape.has_rank()) y[1] = x.shape[1];
  if (const auto size = in.contents(3); size && size->size() == 2)
    for (int64_t i = 0; i < 2; ++i) y[2 + i] = checked_extent((*size)[static_cast<size_t>(i)]);
  return {TensorType(x.dtype, y)};
}

void CropAndResize::reference(Inputs in, Outputs out) const {
  const Tensor &x = *in[0], &boxes = *in[1], &batch = *in[2];
  const auto size = to_ints(*in[3]);
  require(x.rank() == 4 && boxes.rank() == 2 && boxes.dims()[1] == 4 && size.size() == 2 && size[0] >= 0 && size[1] >= 0, ErrorKind::model, "boxes ",
          boxes.type(), " of ", x.type());
  const int64_t crops = boxes.dims()[0], channels = x.dims()[1], height = x.dims()[2], width = x.dims()[3];
  require(batch.elements() == crops, ErrorKind::model, batch.elements(), " batch indices for ", crops, " boxes");
  Tensor& y = allocated(out[0], x.dtype(), {crops, channels, size[0], size[1]});
  if (y.elements() == 0) return;
  require(height > 0 && width > 0, ErrorKind::model, "crops of an empty image");
  const auto corners = to_doubles(boxes);
  for (int64_t r = 0; r < crops; ++r)
    require(batch.int_at(r) >= 0 && batch.int_at(r) < x.dims()[0], ErrorKind::model, "image ", batch.int_at(r), " of ", x.dims()[0]);
  visit_float(x.dtype(), [&]<class T>(TypeTag<T>) {
    parallel_for(crops, 1, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const auto corner = [&](int64_t i) { return static_cast<float>(corners[static_cast<size_t>(4 * r + i)]); };
        const auto rows = places(corner(0), corner(2), height, size[0], mode), columns = places(corner(1), corner(3), width, size[1], mode);
        for (int64_t c = 0; c < channels; ++c)
          crop(x.data<T>().data() + (batch.int_at(r) * channels + c) * height * width, width, rows, columns, outside,
               y.data<T>().data() + (r * channels + c) * size[0] * size[1]);
      }
    });
  });
}

namespace {
constexpr OnnxName kNames[] = {{"com.microsoft", "CropAndResize", 1}};
}
const std::span<const OnnxName> CropAndResize::kOnnx{kNames};

std::vector<Value*> CropAndResize::from_onnx(const OnnxNode& node) {
  CropAndResize op;
  op.mode = onnx_enum<CropMode>(node, "mode", "bilinear", {{"bilinear", CropMode::bilinear}, {"nearest", CropMode::nearest}});
  op.outside = node.attr("extrapolation_value", 0.0f);
  return {node.add_op(op, {node.needed(0), node.needed(1), node.needed(2), node.needed(3)})};
}

DEFINE_OP(CropAndResize)

}  // namespace onecard
