#include "lib/ops/optional.h"

#include "lib/ops/movement.h"

namespace onecard {

namespace {

bool is_sequence(Container c) { return c == Container::sequence || c == Container::optional_sequence; }

TensorType held_as(const TensorType& t, Container tensor, Container sequence) {
  TensorType held = t;
  held.container = is_sequence(t.container) ? sequence : tensor;
  return held;
}

constexpr OnnxName kOptional[] = {{"", "Optional", 15}};
constexpr OnnxName kGet[] = {{"", "OptionalGetElement", 15}};
constexpr OnnxName kHas[] = {{"", "OptionalHasElement", 15}};

}  // namespace

const std::span<const OnnxName> Optional::kOnnx{kOptional};
const std::span<const OnnxName> OptionalGetElement::kOnnx{kGet};
const std::span<const OnnxName> OptionalHasElement::kOnnx{kHas};

std::vector<TensorType> Optional::infer(const InferContext& in) const {
  if (in.has(0)) return {held_as(in.type(0), Container::optional, Container::optional_sequence)};
  TensorType empty(dtype, Shape::unranked());
  empty.container = of == OptionalOf::sequence ? Container::optional_sequence : Container::optional;
  return {empty};
}

void Optional::reference(Inputs in, Outputs out) const {
  if (in.empty() || !in[0] || !in[0]->has_value()) {
    TensorType empty(dtype, Shape::unranked());
    empty.container = of == OptionalOf::sequence ? Container::optional_sequence : Container::optional;
    out[0] = Tensor().alias(empty);
    return;
  }
  const Tensor copy = in[0]->clone();
  out[0] = copy.alias(held_as(copy.type(), Container::optional, Container::optional_sequence));
}

std::optional<OnnxForm> Optional::to_onnx(const Node&) const { return OnnxForm{"Optional", {}, ""}; }

std::vector<Value*> Optional::from_onnx(const OnnxNode& node) {
  if (node.input(0)) return {node.add_op(Optional{}, {node.input(0)})};
  // The importer gives a type as text: "f32[?]", "seq f32[*]".
  std::string_view text;
  const auto type = node.needed_attr<std::string>("type");
  text = type;
  Optional op;
  constexpr std::string_view kSequence = "seq ";
  if (text.starts_with(kSequence)) {
    op.of = OptionalOf::sequence;
    text.remove_prefix(kSequence.size());
  }
  op.dtype = dtype_from_name(text.substr(0, text.find('[')));
  require(op.dtype != DType::undefined, ErrorKind::model, "attribute 'type' is ", type);
  return {node.add_op(op, {})};
}

std::vector<TensorType> OptionalGetElement::infer(const InferContext& in) const { return {held_as(in.type(0), Container::tensor, Container::sequence)}; }

void OptionalGetElement::reference(Inputs in, Outputs out) const {
  require(in[0] && in[0]->has_value(), ErrorKind::model, "the optional is empty");
  const Tensor copy = in[0]->clone();
  deliver(out[0], copy.alias(held_as(copy.type(), Container::tensor, Container::sequence)));
}

std::optional<OnnxForm> OptionalGetElement::to_onnx(const Node&) const { return OnnxForm{"OptionalGetElement", {}, ""}; }
std::vector<Value*> OptionalGetElement::from_onnx(const OnnxNode& node) { return {node.add_op(OptionalGetElement{}, {node.needed(0)})}; }

std::vector<TensorType> OptionalHasElement::infer(const InferContext&) const { return {TensorType(DType::boolean, Shape{})}; }
void OptionalHasElement::reference(Inputs in, Outputs out) const { allocated(out[0], DType::boolean, {}).set_int(0, !in.empty() && in[0] && in[0]->has_value()); }
std::optional<OnnxForm> OptionalHasElement::to_onnx(const Node&) const { return OnnxForm{"OptionalHasElement", {}, ""}; }
std::vector<Value*> OptionalHasElement::from_onnx(const OnnxNode& node) {
  return {node.add_op(OptionalHasElement{}, node.input(0) ? std::vector<Value*>{node.input(0)} : std::vector<Value*>{})};
}

DEFINE_OP(Optional)
DEFINE_OP(OptionalGetElement)
DEFINE_OP(OptionalHasElement)

}  // namespace onecard
