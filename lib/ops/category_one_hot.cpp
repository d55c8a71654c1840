#include <algorithm>

#include "lib/ops/key_lookup.h"
#include "lib/ops/label_encoder.h"
#include "lib/ops/movement.h"
#include "lib/ops/shape_ops.h"

namespace onecard {

namespace {

constexpr int64_t kMostColumns = INT32_MAX;
constexpr OnnxName kNames[] = {{"ai.onnx.ml", "OneHotEncoder", 1}};

}  // namespace

std::vector<TensorType> CategoryOneHot::infer(const InferContext& in) const {
  const TensorType &x = tensor_type(in, 0), &keys = tensor_type(in, 1);
  require(is_key_type(x.dtype) && !x.quant, ErrorKind::model, "looks up no ", x);
  require(keys.dtype == x.dtype, ErrorKind::model, "the categories are ", info(keys.dtype).name, ", the input is ", info(x.dtype).name);
  require(in.dtype(2) == DType::i64, ErrorKind::model, "the columns are ", info(in.dtype(2)).name);
  require(depth >= 1 && depth <= kMostColumns, ErrorKind::model, "has ", depth, " columns");
  if (!x.shape.has_rank()) return {TensorType(DType::f32, Shape::unranked())};
  std::vector<Dim> dims = x.shape.dims();
  dims.push_back(depth);
  return {TensorType(DType::f32, Shape(std::move(dims)))};
}

void CategoryOneHot::reference(Inputs in, Outputs out) const {
  const Tensor &x = *in[0], &columns = *in[2];
  require(in[1]->elements() == columns.elements(), ErrorKind::model, in[1]->elements(), " categories and ", columns.elements(), " columns");
  Dims dims = x.dims();
  dims.push_back(depth);
  const auto y = allocated(out[0], DType::f32, dims).data<float>();
  std::fill(y.begin(), y.end(), 0.0f);
  const std::vector<int64_t> places = find_keys(*in[1], x);
  for (size_t i = 0; i < places.size(); ++i) {
    require(places[i] >= 0 || unknown == UnknownCategory::zeros, ErrorKind::model, "element ", i,
            " is none of the categories, which attribute 'zeros' = 0 forbids");
    if (places[i] < 0) continue;
    const int64_t column = columns.data<int64_t>()[static_cast<size_t>(places[i])];
    require(column >= 0 && column < depth, ErrorKind::model, "column ", column, " of ", depth);
    y[i * static_cast<size_t>(depth) + static_cast<size_t>(column)] = 1;
  }
}

std::optional<OnnxForm> CategoryOneHot::to_onnx(const Node& node) const {
  if (!node.inputs[1]->is_constant() || !node.inputs[2]->is_constant()) return std::nullopt;
  const ConstTensor keys = materialize(node.inputs[1]->constant), columns = materialize(node.inputs[2]->constant);
  if (keys->elements() == 0 || keys->elements() != columns->elements() || (keys->dtype() != DType::string && keys->dtype() != DType::i64))
    return std::nullopt;
  // The last of equal categories counts: a column that none has gets one that stands later too.
  std::vector<int64_t> key_at(static_cast<size_t>(depth), -1);
  for (int64_t i = 0; i < keys->elements(); ++i) {
    const int64_t column = columns->int_at(i);
    require(column >= 0 && column < depth, ErrorKind::model, "column ", column, " of ", depth);
    key_at[static_cast<size_t>(column)] = i;
  }
  if (key_at.back() < 0) return std::nullopt;
  for (size_t c = key_at.size(); c-- > 0;)
    if (key_at[c] < 0) key_at[c] = key_at[c + 1];
  OnnxForm form{"OneHotEncoder", {{"zeros", int64_t{unknown == UnknownCategory::zeros}}}, "ai.onnx.ml"};
  std::vector<std::string> texts;
  std::vector<int64_t> numbers;
  for (const int64_t i : key_at) {
    if (keys->dtype() == DType::string) texts.push_back(keys->text()[static_cast<size_t>(i)]);
    else numbers.push_back(keys->int_at(i));
  }
  if (texts.empty()) form.attributes["cats_int64s"] = numbers;
  else form.attributes["cats_strings"] = texts;
  return form;
}

const std::span<const OnnxName> CategoryOneHot::kOnnx{kNames};

std::vector<Value*> CategoryOneHot::from_onnx(const OnnxNode& node) {
  const auto texts = node.attr<std::vector<std::string>>("cats_strings", {});
  const auto numbers = node.attr<std::vector<int64_t>>("cats_int64s", {});
  require(texts.empty() != numbers.empty(), ErrorKind::model, "has ", texts.size(), " categories of strings and ", numbers.size(), " of integers");
  Value* x = node.needed(0);
  if (texts.empty() && x->type.dtype != DType::i64) {
    require(x->type.dtype != DType::string, ErrorKind::model, "the input is strings, the categories are integers");
    Cast cast;
    cast.to = DType::i64;
    x = node.add_op(cast, {x});
  }
  CategoryOneHot op;
  op.depth = static_cast<int64_t>(texts.size() + numbers.size());
  op.unknown = node.attr<int64_t>("zeros", 1) != 0 ? UnknownCategory::zeros : UnknownCategory::refused;
  const Tensor categories = texts.empty() ? Tensor::of<int64_t>({op.depth}, numbers) : Tensor::strings({op.depth}, texts);
  SortedKeys sorted = sort_keys(categories, AmongEqualKeys::last);
  Tensor columns = Tensor::of<int64_t>(sorted.keys.dims(), sorted.places);
  return {node.add_op(op, {x, node.constant(std::move(sorted.keys)), node.constant(std::move(columns))})};
}

DEFINE_OP(CategoryOneHot)

}  // namespace onecard
