#include "lib/ops/group_norm.h"

#include <cmath>

#include "lib/base/parallel.h"
#include "lib/ops/binary.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/movement.h"
#include "lib/ops/operands.h"
#include "lib/ops/reduce.h"
#include "lib/ops/shape_ops.h"
#include "lib/ops/unary.h"

namespace onecard {
DEFINE_OP(GroupNorm)
namespace {

constexpr OnnxName kNames[] = {{"", "InstanceNormalization", 1}, {"", "GroupNormalization", 18}};

// Opset 18 has one scale per group: repeated for the group's channels.
Value* per_channel(const OnnxNode& node, Value* per_group, int64_t groups) {
  const Shape& x = node.needed(0)->type.shape;
  require(x.has_rank() && x.rank() >= 2 && x[1].is_number() && x[1].number() % groups == 0, ErrorKind::model, "the channels of ", x,
          " must be known and divisible by ", groups);
  Value* column = node.add_op(Unsqueeze(), {per_group, int_list(node, {1})});
  Value* grid = node.add_op(Expand(), {column, int_list(node, {groups, x[1].number() / groups})});
  return node.add_op(Reshape(), {grid, int_list(node, {-1})});
}

// Normalizes one group of `count` elements, whose channels have `inner` elements each.
template <class T>
void normalize_group(const T* x, T* y, int64_t count, int64_t inner, double epsilon, const double* scale, const double* bias) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]);
  const double mean = sum / static_cast<double>(count);
  for (int64_t i = 0; i < count; ++i) squares += (static_cast<double>(x[i]) - mean) * (static_cast<double>(x[i]) - mean);
  const double factor = 1 / std::sqrt(squares / static_cast<double>(count) + epsilon);
  for (int64_t i = 0; i < count; ++i) y[i] = narrow<T>((static_cast<double>(x[i]) - mean) * factor * scale[i / inner] + bias[i / inner]);
}

}  // namespace

const std::span<const OnnxName> GroupNorm::kOnnx{kNames};

std::vector<TensorType> GroupNorm::infer(const InferContext& in) const {
  const TensorType& x = float_tensor(in, 0);
  require(groups >= 0, ErrorKind::model, "groups is ", groups);
  if (!x.shape.has_rank()) return {x};
  require(x.shape.rank() >= 2, ErrorKind::model, "expects at least two axes, got ", x);
  const Dim& channels = x.shape[1];
  require(groups == 0 || !channels.is_number() || channels.number() % groups == 0, ErrorKind::model, channels, " channels do not make ", groups,
          " groups");
  for (const size_t i : {1, 2}) {
    const Shape& p = float_tensor(in, i).shape;
    if (!p.has_rank()) continue;
    require(p.rank() == 1 && (!p[0].is_number() || !channels.is_number() || p[0] == channels), ErrorKind::model, "input ", i, ", ", in.type(i),
            ", does not fit ", x);
  }
  return {x};
}

void GroupNorm::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  shape_output(out[0], x.dtype(), x.dims());
  if (x.elements() == 0) return;
  const int64_t channels = x.dims()[1], in_group = groups == 0 ? 1 : channels / groups, rows = x.dims()[0] * channels / in_group;
  const int64_t count = x.elements() / rows, inner = count / in_group;
  const auto scale = to_doubles(*in[1]), bias = to_doubles(*in[2]);
  visit_float(x.dtype(), [&]<class T>(TypeTag<T>) {
    const T* from = x.data<T>().data();
    T* to = out[0].data<T>().data();
    parallel_for(rows, std::max<int64_t>(1, 16384 / count), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t channel = row * in_group % channels;
        normalize_group(from + row * count, to + row * count, count, inner, static_cast<double>(epsilon), scale.data() + channel,
                        bias.data() + channel);
      }
    });
  });
}

std::vector<Value*> GroupNorm::decompose(Graph& graph, Node& node) const {
  const NodesBefore before(graph, node);
  Value* x = node.input(0);
  if (!x->type.shape.has_rank()) return {};
  const auto list = [&](const std::vector<int64_t>& v) { return before.constant(Tensor::of<int64_t>({static_cast<int64_t>(v.size())}, v)); };
  Reduce average;
  average.fn = ReduceFn::mean;
  Value* rows = before.add(Reshape(), {x, list({0, groups, -1})});  // groups 0 copies the channels' extent
  Value* last = list({-1});
  Value* centred = before.add(Binary(BinaryFn::sub), {rows, before.add(average, {rows, last})});
  Value* variance = before.add(average, {before.add(Binary(BinaryFn::mul), {centred, centred}), last});
  Value* safe = before.add(Binary(BinaryFn::add), {variance, before.scalar(x->type.dtype, static_cast<double>(epsilon))});
  Value* normalized = before.add(Binary(BinaryFn::div), {centred, before.add(Unary({Fn::sqrt}), {safe})});
  Reshape back;
  back.zero_means = ZeroMeans::zero;
  Value* y = before.add(back, {normalized, before.add(ShapeOf(), {x})});
  std::vector<int64_t> spatial;
  for (int64_t a = 1; a < x->type.shape.rank() - 1; ++a) spatial.push_back(a);
  const auto column = [&](Value* p) { return spatial.empty() ? p : before.add(Unsqueeze(), {p, list(spatial)}); };
  Value* scaled = before.add(Binary(BinaryFn::mul), {y, column(node.input(1))});
  return {before.add(Binary(BinaryFn::add), {scaled, column(node.input(2))})};
}

std::optional<OnnxForm> GroupNorm::to_onnx(const Node&) const {
  if (groups == 0) return OnnxForm{"InstanceNormalization", {{"epsilon", epsilon}}, {}};
  return OnnxForm{"GroupNormalization", {{"num_groups", groups}, {"epsilon", epsilon}}, {}};
}

std::vector<Value*> GroupNorm::from_onnx(const OnnxNode& node) {
  GroupNorm op;
  op.epsilon = node.attr("epsilon", 1e-5f);
  std::vector<Value*> in{node.needed(0), node.needed(1), node.needed(2)};
  if (node.op_type == "GroupNormalization") {
    op.groups = node.needed_attr<int64_t>("num_groups");
    require(op.groups > 0, ErrorKind::model, "num_groups is ", op.groups);
    if (node.opset < 21)
      for (const size_t i : {1, 2}) in[i] = per_channel(node, in[i], op.groups);
  }
  return {node.add_op(op, in)};
}

}  // namespace onecard
