#include "lib/ops/sequence.h"

#include "lib/ops/body_values.h"
#include "lib/ops/movement.h"

namespace onecard {

namespace {

const TensorType& sequence_type(const InferContext& in, size_t i) {
  const TensorType& t = in.type(i);
  require(t.container == Container::sequence, ErrorKind::model, "input ", i, " must be a sequence, not ", t);
  return t;
}

TensorType item_type(const TensorType& sequence) {
  TensorType item = sequence;
  item.container = Container::tensor;
  return item;
}

TensorType sequence_of(const TensorType& item) {
  TensorType sequence = item;
  sequence.container = Container::sequence;
  return sequence;
}

// The position that an optional input names, of `count` places; the last one when absent.
size_t position(Inputs in, size_t i, int64_t count) {
  if (i >= in.size() || !in[i]) {
    require(count > 0, ErrorKind::model, "the sequence is empty");
    return static_cast<size_t>(count - 1);
  }
  require(in[i]->elements() == 1, ErrorKind::model, "the position must be one integer");
  const int64_t at = in[i]->int_at(0);
  require(at >= -count && at < count, ErrorKind::model, "position ", at, " of ", count);
  return static_cast<size_t>(at < 0 ? at + count : at);
}

std::vector<Tensor> copied_items(const Tensor& sequence) {
  std::vector<Tensor> items;
  for (const Tensor& t : sequence.items()) items.push_back(t.clone());
  return items;
}

// The inputs without absent ones at the end.
std::vector<Value*> given_inputs(const OnnxNode& node) {
  std::vector<Value*> in = node.inputs;
  while (!in.empty() && !in.back()) in.pop_back();
  return in;
}

constexpr OnnxName kConstruct[] = {{"", "SequenceConstruct", 11}};
constexpr OnnxName kEmpty[] = {{"", "SequenceEmpty", 11}};
constexpr OnnxName kAt[] = {{"", "SequenceAt", 11}};
constexpr OnnxName kInsert[] = {{"", "SequenceInsert", 11}};
constexpr OnnxName kErase[] = {{"", "SequenceErase", 11}};
constexpr OnnxName kLength[] = {{"", "SequenceLength", 11}};

}  // namespace

const std::span<const OnnxName> SequenceConstruct::kOnnx{kConstruct};
const std::span<const OnnxName> SequenceEmpty::kOnnx{kEmpty};
const std::span<const OnnxName> SequenceAt::kOnnx{kAt};
const std::span<const OnnxName> SequenceInsert::kOnnx{kInsert};
const std::span<const OnnxName> SequenceErase::kOnnx{kErase};
const std::span<const OnnxName> SequenceLength::kOnnx{kLength};

std::vector<TensorType> SequenceConstruct::infer(const InferContext& in) const {
  require(in.size() > 0, ErrorKind::model, "has no inputs");
  TensorType item = tensor_type(in, 0);
  for (size_t i = 1; i < in.size(); ++i) item = merged_type(item, tensor_type(in, i));
  return {sequence_of(item)};
}
void SequenceConstruct::reference(Inputs in, Outputs out) const {
  std::vector<Tensor> items;
  for (const Tensor* t : in) items.push_back(t->clone());
  out[0] = Tensor::sequence(in[0]->type(), std::move(items));
}
std::optional<OnnxForm> SequenceConstruct::to_onnx(const Node&) const { return OnnxForm{"SequenceConstruct", {}, ""}; }
std::vector<Value*> SequenceConstruct::from_onnx(const OnnxNode& node) {
  for (size_t i = 0; i < node.inputs.size(); ++i) node.needed(i);
  return {node.add_op(SequenceConstruct{}, node.inputs)};
}

std::vector<TensorType> SequenceEmpty::infer(const InferContext&) const { return {sequence_of(TensorType(dtype, Shape::unranked()))}; }
void SequenceEmpty::reference(Inputs, Outputs out) const { out[0] = Tensor::sequence(TensorType(dtype, Shape::unranked()), {}); }
std::optional<OnnxForm> SequenceEmpty::to_onnx(const Node&) const { return OnnxForm{"SequenceEmpty", {{"dtype", static_cast<int64_t>(dtype)}}, ""}; }
std::vector<Value*> SequenceEmpty::from_onnx(const OnnxNode& node) {
  const auto code = node.attr<int64_t>("dtype", static_cast<int64_t>(DType::f32));
  require(dtype_is_known(code), ErrorKind::model, "attribute 'dtype' is ", code);
  SequenceEmpty op;
  op.dtype = static_cast<DType>(code);
  return {node.add_op(op, {})};
}

std::vector<TensorType> SequenceAt::infer(const InferContext& in) const { return {item_type(sequence_type(in, 0))}; }
void SequenceAt::reference(Inputs in, Outputs out) const {
  const auto& items = in[0]->items();
  deliver(out[0], items[position(in, 1, static_cast<int64_t>(items.size()))].clone());
}
std::optional<OnnxForm> SequenceAt::to_onnx(const Node&) const { return OnnxForm{"SequenceAt", {}, ""}; }
std::vector<Value*> SequenceAt::from_onnx(const OnnxNode& node) { return {node.add_op(SequenceAt{}, {node.needed(0), node.needed(1)})}; }

std::vector<TensorType> SequenceInsert::infer(const InferContext& in) const {
  return {sequence_of(merged_type(item_type(sequence_type(in, 0)), tensor_type(in, 1)))};
}
void SequenceInsert::reference(Inputs in, Outputs out) const {
  std::vector<Tensor> items = copied_items(*in[0]);
  const auto count = static_cast<int64_t>(items.size());
  const bool at_end = in.size() < 3 || !in[2];
  const size_t at = at_end ? items.size() : position(in, 2, count + 1);
  // A negative position counts from the last item, not from the end.
  const size_t before = !at_end && in[2]->int_at(0) < 0 ? at - 1 : at;
  require(at_end || in[2]->int_at(0) >= -count, ErrorKind::model, "position ", at_end ? 0 : in[2]->int_at(0), " of ", count);
  items.insert(items.begin() + static_cast<int64_t>(before), in[1]->clone());
  out[0] = Tensor::sequence(merged_type(item_type(in[0]->type()), in[1]->type()), std::move(items));
}
std::optional<OnnxForm> SequenceInsert::to_onnx(const Node&) const { return OnnxForm{"SequenceInsert", {}, ""}; }
std::vector<Value*> SequenceInsert::from_onnx(const OnnxNode& node) {
  node.needed(0), node.needed(1);
  return {node.add_op(SequenceInsert{}, given_inputs(node))};
}

std::vector<TensorType> SequenceErase::infer(const InferContext& in) const { return {sequence_type(in, 0)}; }
void SequenceErase::reference(Inputs in, Outputs out) const {
  std::vector<Tensor> items = copied_items(*in[0]);
  items.erase(items.begin() + static_cast<int64_t>(position(in, 1, static_cast<int64_t>(items.size()))));
  out[0] = Tensor::sequence(in[0]->type(), std::move(items));
}
std::optional<OnnxForm> SequenceErase::to_onnx(const Node&) const { return OnnxForm{"SequenceErase", {}, ""}; }
std::vector<Value*> SequenceErase::from_onnx(const OnnxNode& node) {
  node.needed(0);
  return {node.add_op(SequenceErase{}, given_inputs(node))};
}

std::vector<TensorType> SequenceLength::infer(const InferContext& in) const {
  sequence_type(in, 0);
  return {TensorType(DType::i64, Shape{})};
}
void SequenceLength::reference(Inputs in, Outputs out) const {
  allocated(out[0], DType::i64, {}).set_int(0, static_cast<int64_t>(in[0]->items().size()));
}
std::optional<OnnxForm> SequenceLength::to_onnx(const Node&) const { return OnnxForm{"SequenceLength", {}, ""}; }
std::vector<Value*> SequenceLength::from_onnx(const OnnxNode& node) { return {node.add_op(SequenceLength{}, {node.needed(0)})}; }

DEFINE_OP(SequenceConstruct)
DEFINE_OP(SequenceEmpty)
DEFINE_OP(SequenceAt)
DEFINE_OP(SequenceInsert)
DEFINE_OP(SequenceErase)
DEFINE_OP(SequenceLength)

}  // namespace onecard
