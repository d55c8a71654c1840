#include "lib/ops/col2im.h"

#include "lib/base/parallel.h"
#include "lib/ops/movement.h"
#include "lib/ops/real_values.h"
#include "lib/ops/window.h"

namespace onecard {

namespace {

constexpr OnnxName kNames[] = {{"", "Col2Im", 18}};

Window window_of(const Col2Im& op) { return {op.strides, op.dilations, op.pads, AutoPad::notset}; }

}  // namespace

std::vector<TensorType> Col2Im::infer(const InferContext& in) const {
  for (const size_t needed : {size_t{1}, size_t{2}}) in.type(needed);
  const TensorType& x = in.type(0);
  require(x.container == Container::tensor && x.dtype != DType::string && !x.quant, ErrorKind::model, "cannot add up ", x);
  require(!x.shape.has_rank() || x.shape.rank() == 3, ErrorKind::model, "x has shape ", x.shape, "; it must be [N, C * block, L]");
  const auto image = in.contents(1);
  const auto block = in.ints(2);
  if (!image || !block) return {TensorType(x.dtype, image ? Shape::unknown(static_cast<int64_t>(image->size()) + 2) : Shape::unranked())};
  require(image->size() == block->size() && !image->empty(), ErrorKind::model, "image_shape has ", image->size(), " numbers, block_shape ",
          block->size());
  check_window(window_of(*this), static_cast<int64_t>(block->size()));
  Dim cells = 1, columns = 1;
  for (size_t i = 0; i < block->size(); ++i) {
    check_kernel_extent((*block)[i]);
    cells = cells * Dim((*block)[i]);
    require(!(*image)[i].is_number() || (*image)[i].number() >= 0, ErrorKind::model, "image_shape holds ", (*image)[i]);
    columns = columns * window_extent(window_of(*this), i, (*image)[i], (*block)[i]);
  }
  std::vector<Dim> y{x.shape.has_rank() ? x.shape[0] : Dim::unknown(), Dim::unknown()};
  y.insert(y.end(), image->begin(), image->end());
  if (x.shape.has_rank() && x.shape[1].is_number() && cells.is_number()) {
    require(x.shape[1].number() % cells.number() == 0, ErrorKind::model, "x has ", x.shape[1], " rows, a block has ", cells);
    y[1] = x.shape[1] / cells;
  }
  const bool fits = !x.shape.has_rank() || !x.shape[2].is_number() || !columns.is_number() || x.shape[2] == columns;
  require(fits, ErrorKind::model, "x has ", x.shape, ", the image holds ", columns, " blocks");
  return {TensorType(x.dtype, Shape(y))};
}

void Col2Im::reference(Inputs in, Outputs out) const {
  const Dims block = to_ints(*in[2]), image = to_ints(*in[1]), x_dims = in[0]->dims();
  const int64_t cells = element_count(block);
  if (!out[0].has_value()) {
    Dims y{x_dims[0], x_dims[1] / cells};
    y.insert(y.end(), image.begin(), image.end());
    out[0] = Tensor(in[0]->dtype(), y);
  }
  if (out[0].elements() == 0) return;
  if (info(in[0]->dtype()).kind == DKind::complex) {
    const ComplexParts x = complex_parts(*in[0]);
    return deliver(out[0], complex_tensor(in[0]->dtype(), {std::move(evaluate(*this, {&x.real, in[1], in[2]})[0]),
                                                           std::move(evaluate(*this, {&x.imaginary, in[1], in[2]})[0])}));
  }
  const ConvGeometry g = window_geometry(window_of(*this), image, block);
  Dims steps;
  for (size_t i = 0; i < block.size(); ++i) steps.push_back(window_extent(window_of(*this), i, image[i], block[i]).number());
  require(element_count(steps) == x_dims[2], ErrorKind::model, "x has ", x_dims[2], " columns, the image holds ", element_count(steps), " blocks");
  const std::vector<double> x = to_doubles(*in[0]);
  const int64_t plane = element_count(image);
  parallel_for(out[0].dims()[0] * out[0].dims()[1], 1, [&](int64_t begin, int64_t end) {
    std::vector<double> acc(static_cast<size_t>(plane));
    WindowRows rows;
    for (int64_t i = begin; i < end; ++i) {
      std::fill(acc.begin(), acc.end(), 0.0);
      Dims at(block.size(), 0);
      const double* from = x.data() + i * cells * x_dims[2];
      do {
        window_rows(g, steps, image, at, rows);
        for_rows(rows, [&](int64_t column, int64_t to, int64_t count, int64_t, int64_t step) {
          for (int64_t j = 0; j < count; ++j) acc[static_cast<size_t>(to + j * step)] += from[column + j];
        });
        from += x_dims[2];
      } while (next_index(at, block));
      store_doubles(out[0], i * plane, acc);
    }
  });
}

std::optional<OnnxForm> Col2Im::to_onnx(const Node&) const {
  OnnxForm form{"Col2Im", {}, ""};
  put_list(form, "strides", strides);
  put_list(form, "dilations", dilations);
  put_list(form, "pads", pads);
  return form;
}

const std::span<const OnnxName> Col2Im::kOnnx{kNames};

std::vector<Value*> Col2Im::from_onnx(const OnnxNode& node) {
  Col2Im op;
  op.strides = onnx_list(node, "strides", 1);
  op.dilations = onnx_list(node, "dilations", 1);
  op.pads = onnx_list(node, "pads", 0);
  return node.add_all(std::move(op), {node.needed(0), node.needed(1), node.needed(2)});
}

DEFINE_OP(Col2Im)

}  // namespace onecard
