#include "lib/ops/label_encoder.h"

#include <numeric>

#include "lib/ops/key_lookup.h"
#include "lib/ops/movement.h"

namespace onecard {

namespace {

constexpr std::string_view kDomain = "ai.onnx.ml";
using Strings = std::vector<std::string>;
using Ints = std::vector<int64_t>;
using Floats = std::vector<float>;

Tensor strings(const Strings& values) { return Tensor::strings({std::ssize(values)}, values); }
template <class T>
Tensor list(const std::vector<T>& values) {
  return Tensor::of<T>({std::ssize(values)}, values);
}

}  // namespace

std::vector<TensorType> LabelEncoder::infer(const InferContext& in) const {
  const TensorType &x = tensor_type(in, 0), &keys = tensor_type(in, 1), &values = tensor_type(in, 2), &otherwise = tensor_type(in, 3);
  require(is_key_type(x.dtype) && !x.quant, ErrorKind::model, "looks up no ", x);
  require(keys.dtype == x.dtype, ErrorKind::model, "the keys are ", info(keys.dtype).name, ", the input is ", info(x.dtype).name);
  require(values.dtype == otherwise.dtype, ErrorKind::model, "the values are ", info(values.dtype).name, ", the default is ",
          info(otherwise.dtype).name);
  if (keys.shape.has_rank() && values.shape.has_rank()) {
    require(keys.shape.rank() == 1 && values.shape.rank() == 1, ErrorKind::model, "keys and values are lists, not ", keys.shape, " and ",
            values.shape);
    agreed(keys.shape[0], values.shape[0]);
  }
  return {TensorType(values.dtype, x.shape)};
}

void LabelEncoder::reference(Inputs in, Outputs out) const {
  const Tensor &x = *in[0], &values = *in[2];
  require(in[1]->elements() == values.elements() && in[3]->elements() >= 1, ErrorKind::model, in[1]->elements(), " keys, ", values.elements(),
          " values and no default");
  Tensor& y = allocated(out[0], values.dtype(), x.dims());
  const std::vector<int64_t> places = find_keys(*in[1], x);
  const ElementCopier found(values, y), missing(*in[3], y);
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i] >= 0) found(places[i], static_cast<int64_t>(i));
    else missing(0, static_cast<int64_t>(i));
  }
}

namespace {

// A list as attribute: keys or values of the types that have a list, others as tensor.
void add_list(OnnxForm& form, const std::string& kind, const Tensor& t) {
  if (t.dtype() == DType::string) form.attributes[kind + "_strings"] = t.text();
  else if (t.dtype() == DType::i64) form.attributes[kind + "_int64s"] = to_ints(t);
  else if (t.dtype() == DType::f32) form.attributes[kind + "_floats"] = Floats(t.data<float>().begin(), t.data<float>().end());
  else form.attributes[kind + "_tensor"] = std::make_shared<const Tensor>(t.clone());
}

}  // namespace

std::optional<OnnxForm> LabelEncoder::to_onnx(const Node& node) const {
  for (size_t i = 1; i < 4; ++i)
    if (!node.inputs[i]->is_constant()) return std::nullopt;
  OnnxForm form{"LabelEncoder", {}, std::string(kDomain)};
  add_list(form, "keys", *materialize(node.inputs[1]->constant));
  add_list(form, "values", *materialize(node.inputs[2]->constant));
  const ConstTensor otherwise = materialize(node.inputs[3]->constant);
  if (otherwise->dtype() == DType::string) form.attributes["default_string"] = otherwise->text().at(0);
  else if (otherwise->dtype() == DType::i64) form.attributes["default_int64"] = otherwise->int_at(0);
  else if (otherwise->dtype() == DType::f32) form.attributes["default_float"] = static_cast<float>(otherwise->at(0));
  else form.attributes["default_tensor"] = std::make_shared<const Tensor>(Tensor(otherwise->alias(TensorType(otherwise->dtype(), Shape{1}))));
  return form;
}

namespace {

constexpr OnnxName kNames[] = {{kDomain, "LabelEncoder", 1}, {kDomain, "CategoryMapper", 1}};

struct Table {
  Tensor keys, values, otherwise;
};

// The one list of keys_* or values_* that is there.
Tensor only_list(const OnnxNode& node, const std::string& kind) {
  std::optional<Tensor> found;
  const auto take = [&](Tensor t) {
    require(!found, ErrorKind::model, "has '", kind, "' of two types");
    found = std::move(t);
  };
  if (const auto s = node.attr<Strings>(kind + "_strings", {}); !s.empty()) take(strings(s));
  if (const auto i = node.attr<Ints>(kind + "_int64s", {}); !i.empty()) take(list(i));
  if (const auto f = node.attr<Floats>(kind + "_floats", {}); !f.empty()) take(list(f));
  if (const auto t = node.attr<ConstTensor>(kind + "_tensor", nullptr)) take(materialize(t)->clone());
  require(found.has_value(), ErrorKind::model, "has no '", kind, "'");
  require(is_key_type(found->dtype()), ErrorKind::model, "the ", kind, " are ", info(found->dtype()).name);
  return found->alias(TensorType(found->dtype(), Shape{found->elements()}));
}

Tensor default_for(const OnnxNode& node, DType dtype) {
  if (const auto t = node.attr<ConstTensor>("default_tensor", nullptr)) {
    require(t->dtype() == dtype && t->elements() == 1, ErrorKind::model, "attribute 'default_tensor' is ", t->type(), " for values of ",
            info(dtype).name);
    const ConstTensor resident = materialize(t);
    return resident->clone().alias(TensorType(dtype, Shape{1}));
  }
  if (dtype == DType::string) return strings({node.attr<std::string>("default_string", "_Unused")});
  Tensor t(dtype, Dims{1});
  if (is_integer(dtype)) t.set_int(0, dtype == DType::i64 ? node.attr<int64_t>("default_int64", -1) : -1);
  else t.set(0, dtype == DType::f32 ? static_cast<double>(node.attr<float>("default_float", -0.0f)) : -0.0);
  return t;
}

// Strings to integers or back, as the input is.
Table both_ways(const OnnxNode& node, const Strings& texts, const Ints& numbers) {
  if (node.needed(0)->type.dtype == DType::string) return {strings(texts), list(numbers), list(Ints{node.attr<int64_t>("default_int64", -1)})};
  return {list(numbers), strings(texts), strings({node.attr<std::string>("default_string", "_Unused")})};
}

Table table_of(const OnnxNode& node) {
  if (node.op_type == "CategoryMapper") return both_ways(node, node.attr<Strings>("cats_strings", {}), node.attr<Ints>("cats_int64s", {}));
  if (node.opset < 2) {
    const auto classes = node.attr<Strings>("classes_strings", {});
    Ints numbers(classes.size());
    std::iota(numbers.begin(), numbers.end(), int64_t{0});
    return both_ways(node, classes, numbers);
  }
  Tensor keys = only_list(node, "keys"), values = only_list(node, "values");
  Tensor otherwise = default_for(node, values.dtype());
  return {std::move(keys), std::move(values), std::move(otherwise)};
}

}  // namespace
const std::span<const OnnxName> LabelEncoder::kOnnx{kNames};

std::vector<Value*> LabelEncoder::from_onnx(const OnnxNode& node) {
  Table table = table_of(node);
  require(table.keys.elements() == table.values.elements(), ErrorKind::model, "has ", table.keys.elements(), " keys and ", table.values.elements(),
          " values");
  // Version 4 says that the last of repeated keys counts, though ONNX Runtime takes the first; versions 2 and 3 say nothing: the first, as there.
  const bool first = node.op_type == "LabelEncoder" && node.opset >= 2 && node.opset < 4;
  SortedKeys sorted = sort_keys(table.keys, first ? AmongEqualKeys::first : AmongEqualKeys::last);
  Tensor values(table.values.dtype(), sorted.keys.dims());
  const ElementCopier copy(table.values, values);
  for (size_t i = 0; i < sorted.places.size(); ++i) copy(sorted.places[i], static_cast<int64_t>(i));
  return {node.add_op(LabelEncoder(), {node.needed(0), node.constant(std::move(sorted.keys)), node.constant(std::move(values)),
                                       node.constant(std::move(table.otherwise))})};
}

DEFINE_OP(LabelEncoder)

}  // namespace onecard
