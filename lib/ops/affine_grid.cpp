#include "lib/ops/affine_grid.h"

#include "lib/ops/real_values.h"

namespace onecard {

namespace {

constexpr OnnxName kNames[] = {{"", "AffineGrid", 20}};

}  // namespace

std::vector<TensorType> AffineGrid::infer(const InferContext& in) const {
  in.type(1);  // raises when it is missing
  const TensorType& theta = in.type(0);
  visit_float(theta.dtype, [](auto) {});
  const auto size = in.contents(1);
  std::optional<int64_t> spatial;
  if (theta.shape.has_rank()) {
    require(theta.shape.rank() == 3, ErrorKind::model, "theta has shape ", theta.shape);
    spatial = theta.shape[1].maybe();
  }
  if (size) spatial = static_cast<int64_t>(size->size()) - 2;
  if (!spatial) return {TensorType(theta.dtype, Shape::unranked())};
  require(*spatial == 2 || *spatial == 3, ErrorKind::model, "an affine grid of ", *spatial, " dimensions; 2 and 3 are supported");
  for (int64_t i = 1; theta.shape.has_rank() && i < 3; ++i)
    require(!theta.shape[i].is_number() || theta.shape[i] == Dim(*spatial + i - 1), ErrorKind::model, "theta has shape ", theta.shape, " for ",
            *spatial, " dimensions");
  Shape y = Shape::unknown(*spatial + 2);
  y[0] = theta.shape.has_rank() ? theta.shape[0] : Dim::unknown();
  for (int64_t i = 0; size && i < *spatial; ++i) {
    y[i + 1] = (*size)[static_cast<size_t>(i) + 2];
    require(!y[i + 1].is_number() || y[i + 1].number() >= 0, ErrorKind::model, "size holds ", y[i + 1].text());
  }
  y[*spatial + 1] = *spatial;
  return {TensorType(theta.dtype, y)};
}

void AffineGrid::reference(Inputs in, Outputs out) const {
  const std::vector<int64_t> size = to_ints(*in[1]);
  const size_t axes = size.size() - 2;
  if (!out[0].has_value()) {
    Dims dims{in[0]->dims()[0]};
    dims.insert(dims.end(), size.begin() + 2, size.end());
    dims.push_back(static_cast<int64_t>(axes));
    out[0] = Tensor(in[0]->dtype(), dims);
  }
  const std::vector<double> theta = to_doubles(*in[0]);
  const Dims dims = out[0].dims();
  const int64_t points = out[0].elements() / static_cast<int64_t>(axes);
  const int64_t plane = dims[0] > 0 ? points / dims[0] : 0;
  std::vector<double> position(axes + 1, 1.0), result(axes);
  for (int64_t i = 0; i < points; ++i) {
    int64_t rest = i % plane;
    for (size_t a = axes; a-- > 0; rest /= dims[a + 1]) {
      const double n = static_cast<double>(dims[a + 1]), at = static_cast<double>(rest % dims[a + 1]);
      position[axes - 1 - a] = corners == Corners::centres ? (n > 1 ? 2 * at / (n - 1) - 1 : -1.0) : (2 * at + 1) / n - 1;
    }
    const double* matrix = theta.data() + static_cast<size_t>(i / plane) * axes * (axes + 1);
    for (size_t r = 0; r < axes; ++r) {
      result[r] = 0;
      for (size_t c = 0; c <= axes; ++c) result[r] += matrix[r * (axes + 1) + c] * position[c];
    }
    store_doubles(out[0], i * static_cast<int64_t>(axes), result);
  }
}

std::optional<OnnxForm> AffineGrid::to_onnx(const Node&) const {
  return OnnxForm{"AffineGrid", {{"align_corners", int64_t{corners == Corners::centres}}}, ""};
}

const std::span<const OnnxName> AffineGrid::kOnnx{kNames};

std::vector<Value*> AffineGrid::from_onnx(const OnnxNode& node) {
  AffineGrid op;
  op.corners = node.attr<int64_t>("align_corners", 0) != 0 ? Corners::centres : Corners::edges;
  return node.add_all(std::move(op), {node.needed(0), node.needed(1)});
}

DEFINE_OP(AffineGrid)

}  // namespace onecard
