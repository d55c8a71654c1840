#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"

namespace onecard {

std::vector<TensorType> Concat::infer(const InferContext& in) const {
  require(in.size() > 0, ErrorKind::model, "has no inputs");
  const TensorType& first = tensor_type(in, 0);
  QuantizationPtr quant = moved_quant(first);
  Shape joined = Shape::unranked();
  bool all_ranked = true;
  for (size_t i = 0; i < in.size(); ++i) {
    const TensorType& x = tensor_type(in, i);
    require(x.dtype == first.dtype, ErrorKind::model, "joins ", info(first.dtype).name, " and ", info(x.dtype).name);
    quant = shared_quant(first, x);
    if (!x.shape.has_rank()) {
      all_ranked = false;
      continue;
    }
    if (!joined.has_rank()) {
      joined = x.shape;
      checked_axis(axis, joined.rank());
      continue;
    }
    require(x.shape.rank() == joined.rank(), ErrorKind::model, "joins shapes ", joined, " and ", x.shape);
    const int64_t along = checked_axis(axis, joined.rank());
    for (int64_t a = 0; a < joined.rank(); ++a) joined[a] = a == along ? joined[a] + x.shape[a] : agreed(joined[a], x.shape[a]);
  }
  if (!all_ranked && joined.has_rank()) joined[checked_axis(axis, joined.rank())] = Dim::unknown();
  return {TensorType(first.dtype, joined, quant)};
}

std::optional<std::vector<Dim>> Concat::infer_contents(const InferContext& in) const {
  std::vector<Dim> joined;
  if (!is_integer(in.dtype(0))) return std::nullopt;
  bool any = false;
  for (size_t i = 0; i < in.size(); ++i) {
    const Shape& shape = in.shape(i);
    if (!shape.has_rank() || shape.rank() != 1) return std::nullopt;
    if (const auto contents = in.contents(i)) {
      joined.insert(joined.end(), contents->begin(), contents->end());
      any = true;
    } else if (const auto length = known_length(shape)) {
      joined.insert(joined.end(), static_cast<size_t>(*length), Dim::unknown());
    } else {
      return std::nullopt;
    }
    if (static_cast<int64_t>(joined.size()) > kContentsLimit) return std::nullopt;
  }
  return any ? std::optional(joined) : std::nullopt;
}

void Concat::reference(Inputs in, Outputs out) const {
  const int64_t along = checked_axis(axis, in[0]->rank());
  Dims dims = in[0]->dims();
  int64_t total = 0;
  for (const Tensor* x : in) {
    require(x->rank() == in[0]->rank(), ErrorKind::model, "joins tensors of rank ", in[0]->rank(), " and ", x->rank());
    for (int64_t a = 0; a < x->rank(); ++a) {
      const auto i = static_cast<size_t>(a);
      require(a == along || x->dims()[i] == dims[i], ErrorKind::model, "extents ", dims[i], " and ", x->dims()[i], " of axis ", a, " differ");
    }
    total += x->dims()[static_cast<size_t>(along)];
  }
  dims[static_cast<size_t>(along)] = total;
  Tensor& y = allocated(out[0], in[0]->dtype(), dims, in[0]->type().quant);
  const AxisView to = axis_view(dims, along);
  int64_t at = 0;
  for (const Tensor* x : in) {
    const ElementCopier copy(*x, y);
    const int64_t run = x->dims()[static_cast<size_t>(along)] * to.inner;
    for (int64_t o = 0; o < to.outer; ++o) copy(o * run, o * to.extent * to.inner + at, run);
    at += run;
  }
}

std::optional<OnnxForm> Concat::to_onnx(const Node&) const { return OnnxForm{"Concat", {{"axis", axis}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "Concat", 1}};
}
const std::span<const OnnxName> Concat::kOnnx{kNames};

std::vector<Value*> Concat::from_onnx(const OnnxNode& node) {
  Concat op;
  op.axis = node.opset < 4 ? node.attr<int64_t>("axis", 1) : node.needed_attr<int64_t>("axis");
  for (size_t i = 0; i < node.inputs.size(); ++i) node.needed(i);
  return {node.add_op(op, node.inputs)};
}

DEFINE_OP(Concat)

}  // namespace onecard
