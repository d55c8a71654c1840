#include "lib/ops/movement.h"
#include "lib/ops/shape_ops.h"

namespace onecard {

namespace {

// The product of x's extents divided by that of `others`, exactly: equal factors are cancelled first. Raises model when it does not go.
Dim rest_extent(const std::vector<Dim>& x, const std::vector<Dim>& others) {
  std::vector<Dim> above = x, below;
  for (const Dim& d : others) {
    size_t i = 0;
    while (i < above.size() && !same_size(above[i], d)) ++i;
    if (i < above.size()) above.erase(above.begin() + static_cast<int64_t>(i));
    else below.push_back(d);
  }
  Dim total = 1, divisor = 1;
  for (const Dim& d : above) total = total * d;
  for (const Dim& d : below) divisor = divisor * d;
  if (divisor == Dim(1)) return total;
  if (divisor.is_unknown() || total.is_unknown()) return Dim::unknown();
  if (divisor == Dim(0)) {
    require(!total.is_number() || total.number() == 0, ErrorKind::model, "cannot place ", total, " elements beside an extent of 0");
    return 0;
  }
  const Dim rest = total / divisor;
  require(!total.is_number() || !divisor.is_number() || rest * divisor == total, ErrorKind::model, total, " elements do not divide by ", divisor);
  return rest;
}

// The shape that x takes. Unknown entries of `wanted` stay unknown, but a single one, with all else known, follows from the total.
Shape reshaped(const Shape& x, const std::vector<Dim>& wanted, ZeroMeans zero_means) {
  require(static_cast<int64_t>(wanted.size()) <= kRankLimit, ErrorKind::model, "a shape of ", wanted.size(), " extents");
  std::vector<Dim> out = wanted, others;
  std::optional<size_t> rest;
  size_t unknowns = 0, last_unknown = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    const auto n = wanted[i].maybe();
    if (n == -1) {
      require(!rest, ErrorKind::model, "the shape has more than one -1");
      rest = i;
      continue;
    }
    if (n == 0 && zero_means == ZeroMeans::copy) {
      require(!x.has_rank() || static_cast<int64_t>(i) < x.rank(), ErrorKind::model, "the shape copies extent ", i, " of ", x);
      out[i] = x.has_rank() ? x[static_cast<int64_t>(i)] : Dim::unknown();
    }
    checked_extent(out[i]);
    if (out[i].is_unknown()) ++unknowns, last_unknown = i;
    others.push_back(out[i]);
  }
  if (!x.has_rank()) {
    if (rest) out[*rest] = Dim::unknown();
    return Shape(out);
  }
  if (rest) {
    out[*rest] = rest_extent(x.dims(), others);
    return Shape(out);
  }
  const Dim total = x.elements(), made = Shape(out).elements();
  if (total.is_number() && made.is_number())
    require(total == made, ErrorKind::model, x, " has ", total, " elements, the shape ", Shape(out), " takes ", made);
  if (unknowns == 1) {
    std::erase_if(others, [](const Dim& d) { return d.is_unknown(); });
    if (Shape(others).elements() != Dim(0)) out[last_unknown] = rest_extent(x.dims(), others);
  }
  return Shape(out);
}

// A per-axis quantization stays while nothing up to its axis changes.
QuantizationPtr reshaped_quant(const TensorType& x, const Shape& out) {
  if (!x.quant || x.quant->axis < 0) return x.quant;
  bool kept = x.shape.has_rank() && out.has_rank() && x.quant->axis < out.rank() && x.quant->axis < x.shape.rank();
  for (int64_t i = 0; kept && i <= x.quant->axis; ++i) kept = same_size(x.shape[i], out[i]);
  return kept ? x.quant : moved_quant(x);
}

}  // namespace

std::vector<TensorType> Reshape::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  Shape shape = Shape::unranked();
  if (const auto wanted = in.contents(1)) {
    shape = reshaped(x.shape, *wanted, zero_means);
  } else if (const auto rank = known_length(in.shape(1))) {
    shape = Shape::unknown(*rank);
  }
  return {TensorType(x.dtype, shape, reshaped_quant(x, shape))};
}

std::optional<std::vector<Dim>> Reshape::infer_contents(const InferContext& in) const { return in.contents(0); }

void Reshape::reference(Inputs in, Outputs out) const {
  std::vector<Dim> wanted;
  for (int64_t d : to_ints(*in[1])) wanted.push_back(d);
  const Shape shape = reshaped(Shape::of(in[0]->dims()), wanted, zero_means);
  copy_all(*in[0], allocated(out[0], in[0]->dtype(), shape.numbers(), reshaped_quant(in[0]->type(), shape)));
}

std::optional<OnnxForm> Reshape::to_onnx(const Node&) const {
  OnnxForm form{"Reshape", {}, ""};
  if (zero_means == ZeroMeans::zero) form.attributes["allowzero"] = int64_t{1};
  return form;
}

namespace {
constexpr OnnxName kNames[] = {{"", "Reshape", 1}};
}
const std::span<const OnnxName> Reshape::kOnnx{kNames};

std::vector<Value*> Reshape::from_onnx(const OnnxNode& node) {
  Reshape op;
  if (node.attr<int64_t>("allowzero", 0) != 0) op.zero_means = ZeroMeans::zero;
  Value* shape = list_input(node, "shape", 1);
  require(shape, ErrorKind::model, "has no shape");
  return {node.add_op(op, {node.needed(0), shape})};
}

DEFINE_OP(Reshape)

}  // namespace onecard
