#include "lib/ops/center_crop_pad.h"

#include "lib/ops/movement.h"

namespace onecard {

namespace {

constexpr OnnxName kNames[] = {{"", "CenterCropPad", 18}};

std::vector<int64_t> resolved_axes(const CenterCropPad& op, int64_t rank) {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < rank && op.axes.empty(); ++i) out.push_back(i);
  for (int64_t a : op.axes) {
    require(a >= -rank && a < rank, ErrorKind::model, "axis ", a, " is outside an input of rank ", rank);
    out.push_back(a < 0 ? a + rank : a);
  }
  return out;
}

// Where the middle of the larger extent that the smaller one covers begins.
int64_t margin(int64_t larger, int64_t smaller) { return larger > smaller ? (larger - smaller) / 2 : 0; }

}  // namespace

std::vector<TensorType> CenterCropPad::infer(const InferContext& in) const {
  in.type(1);  // raises when it is missing
  TensorType y = in.type(0);
  require(y.container == Container::tensor && !y.quant, ErrorKind::model, "cannot crop or pad ", y);
  if (!y.shape.has_rank()) return {y};
  const auto resolved = resolved_axes(*this, y.shape.rank());
  const auto wanted = in.contents(1);
  require(!wanted || wanted->size() == resolved.size(), ErrorKind::model, "shape has ", wanted ? wanted->size() : 0, " numbers for ", resolved.size(),
          " axes");
  for (size_t i = 0; i < resolved.size(); ++i) {
    y.shape[resolved[i]] = wanted ? (*wanted)[i] : Dim::unknown();
    if (wanted) require(!(*wanted)[i].is_number() || (*wanted)[i].number() >= 0, ErrorKind::model, "shape holds ", (*wanted)[i]);
  }
  return {y};
}

void CenterCropPad::reference(Inputs in, Outputs out) const {
  const Dims x = in[0]->dims();
  if (!out[0].has_value()) {
    const auto resolved = resolved_axes(*this, in[0]->rank());
    const auto wanted = to_ints(*in[1]);
    Dims y = x;
    for (size_t i = 0; i < resolved.size(); ++i) y[static_cast<size_t>(resolved[i])] = wanted[i];
    out[0] = Tensor(in[0]->dtype(), y);
  }
  const Dims y = out[0].dims();
  fill_elements(out[0], 0, out[0].elements(), nullptr);
  const ElementCopier copy(*in[0], out[0]);
  const auto from = row_major_strides(x), to = row_major_strides(y);
  int64_t count = 1, source = 0, target = 0;
  Dims both(x.size());
  for (size_t a = 0; a < x.size(); ++a) {
    both[a] = std::min(x[a], y[a]);
    count *= both[a];
    source += margin(x[a], y[a]) * from[a];
    target += margin(y[a], x[a]) * to[a];
  }
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i, s = source, t = target;
    for (size_t a = x.size(); a-- > 0; rest /= both[a]) s += rest % both[a] * from[a], t += rest % both[a] * to[a];
    copy(s, t);
  }
}

std::optional<OnnxForm> CenterCropPad::to_onnx(const Node&) const {
  OnnxForm form{"CenterCropPad", {}, ""};
  if (!axes.empty()) form.attributes["axes"] = axes;
  return form;
}

const std::span<const OnnxName> CenterCropPad::kOnnx{kNames};

std::vector<Value*> CenterCropPad::from_onnx(const OnnxNode& node) {
  CenterCropPad op;
  op.axes = node.attr<std::vector<int64_t>>("axes", {});
  return node.add_all(std::move(op), {node.needed(0), node.needed(1)});
}

DEFINE_OP(CenterCropPad)

}  // namespace onecard
