#include "lib/onnx/operator_forms.h"

#include <algorithm>
#include <array>
#include <map>

#include "lib/onnx/importer.h"

namespace onecard {

namespace {

using onnx::OpSchema;
using Types = std::vector<DType>;

// "tensor(float)" and its like; types of other containers are left out.
Types tensor_types(const std::vector<std::string>& names) {
  static const std::map<std::string, DType> kNames = [] {
    std::map<std::string, DType> map;
    for (int code = 1; dtype_is_known(code); ++code) {
      onnx::TypeProto type;
      type.mutable_tensor_type()->set_elem_type(code);
      map[*onnx::Utils::DataTypeUtils::ToType(type)] = static_cast<DType>(code);
    }
    return map;
  }();
  Types types;
  for (const auto& name : names)
    if (const auto found = kNames.find(name); found != kNames.end()) types.push_back(found->second);
  std::ranges::sort(types);
  return types;
}

Types types_of(const OpSchema& schema, const OpSchema::FormalParameter& parameter) {
  for (const auto& constraint : schema.typeConstraintParams())
    if (constraint.type_param_str == parameter.GetTypeStr()) return tensor_types(constraint.allowed_type_strs);
  return tensor_types({parameter.GetTypeStr()});
}

// The type parameter that a row of the table is about: of the first input that has a choice, else of the first output.
const OpSchema::FormalParameter* leading(const OpSchema& schema) {
  for (const auto* list : {&schema.inputs(), &schema.outputs()})
    for (const auto& p : *list)
      if (types_of(schema, p).size() > 1) return &p;
  return schema.inputs().empty() ? nullptr : &schema.inputs()[0];
}

const OpSchema* newest_schema(const std::string& domain, const std::string& op_type, int64_t& last_opset) {
  const auto& known = onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
  const auto range = known.find(domain);
  if (range == known.end()) return nullptr;
  last_opset = range->second.second;
  const auto* schema = onnx::OpSchemaRegistry::Schema(op_type, static_cast<int>(last_opset), domain);
  while (schema && schema->Deprecated() && schema->SinceVersion() > 1) {
    last_opset = schema->SinceVersion() - 1;
    schema = onnx::OpSchemaRegistry::Schema(op_type, static_cast<int>(last_opset), domain);
  }
  return schema;
}

int64_t oldest_version(const std::string& domain, const std::string& op_type) {
  int64_t oldest = 1;
  while (oldest < newest_onnx_opset() && !onnx::OpSchemaRegistry::Schema(op_type, static_cast<int>(oldest), domain)) ++oldest;
  return oldest;
}

OperatorForm form_of(const std::string& domain, const std::string& op_type, const OnnxImporter* importer) {
  OperatorForm form{domain, op_type, importer ? std::string(importer->op) : "", importer ? importer->onnx.since_opset : 1, 1, {}};
  const auto* schema = newest_schema(domain, op_type, form.last_opset);
  if (!schema) {
    form.last_opset = form.first_opset;
    return form;
  }
  form.first_opset = std::max(form.first_opset, oldest_version(domain, op_type));
  if (const auto* p = leading(*schema)) form.dtypes = types_of(*schema, *p);
  return form;
}

struct Shapes {
  Dims first, others;
};
const std::array<Shapes, 8> kShapes{Shapes{{1, 4, 4, 4}, {1, 4, 4, 4}}, Shapes{{4, 4}, {4, 4}},    Shapes{{4}, {4}},   Shapes{{}, {}},
                                    Shapes{{2, 2, 4}, {2, 2, 4}},       Shapes{{1, 4, 4, 4}, {4}}, Shapes{{4, 4}, {}}, Shapes{{4}, {}}};
const std::array<Tensor (*)(), 3> kIntegers{[] { return Tensor::of<int64_t>({1}, {1}); }, [] { return Tensor::scalar<int64_t>(1); },
                                            [] {
                                              return Tensor::of<int64_t>({4}, {1, 1, 1, 1});
                                            }};
static_assert(kSampleNetworks == kShapes.size() * kIntegers.size());

// What stands for a required attribute: nothing is known of it but its type.
void set_attribute(onnx::NodeProto& node, const OpSchema::Attribute& wanted) {
  using A = onnx::AttributeProto;
  auto& a = *node.add_attribute();
  a.set_name(wanted.name);
  a.set_type(wanted.type);
  if (wanted.type == A::INT) a.set_i(1);
  else if (wanted.type == A::FLOAT) a.set_f(1);
  else if (wanted.type == A::INTS) a.add_ints(1), a.add_ints(1);
  else fail(ErrorKind::model, "attribute '", wanted.name, "' cannot be guessed");
}

DType operand_type(const OpSchema& schema, const OpSchema::FormalParameter& parameter, DType dtype, bool& sizes) {
  const Types allowed = types_of(schema, parameter);
  require(!allowed.empty(), ErrorKind::model, "takes no tensor");
  const auto has = [&](DType t) { return std::ranges::find(allowed, t) != allowed.end(); };
  const bool same = parameter.GetTypeStr() == leading(schema)->GetTypeStr();
  sizes = !same && has(DType::i64) && !has(DType::f32);
  if (sizes) return DType::i64;
  if (has(dtype)) return dtype;
  return has(DType::f32) ? DType::f32 : allowed.front();
}

}  // namespace

std::vector<OperatorForm> operator_forms() {
  std::map<std::pair<std::string, std::string>, OperatorForm> forms;
  for (const OnnxImporter& i : onnx_importers()) {
    const std::string domain(i.onnx.domain), op_type(i.onnx.op_type);
    forms[{domain, op_type}] = form_of(domain, op_type, &i);
  }
  const Operators operators{onnx::ModelProto()};
  for (const OpSchema& schema : onnx::OpSchemaRegistry::get_all_schemas()) {
    if (forms.contains({schema.domain(), schema.Name()})) continue;
    OperatorForm form = form_of(schema.domain(), schema.Name(), nullptr);
    onnx::NodeProto node;
    node.set_op_type(form.op_type);
    node.set_domain(form.domain);
    if (operators.resolve(node, {{form.domain, form.last_opset}})) forms[{form.domain, form.op_type}] = std::move(form);
  }
  std::vector<OperatorForm> list;
  for (auto& [name, form] : forms) list.push_back(std::move(form));
  return list;
}

Graph sample_network(const OperatorForm& form, DType dtype, int variant) {
  const auto* schema = onnx::OpSchemaRegistry::Schema(form.op_type, static_cast<int>(form.last_opset), form.domain);
  require(schema != nullptr, ErrorKind::model, "onnx has no schema of it");
  const Shapes& shapes = kShapes.at(static_cast<size_t>(variant) % kShapes.size());
  LoadedModel model{std::make_unique<onnx::ModelProto>(), Weights(Path("."), {}), {}};
  model.opsets = {{"", newest_onnx_opset()}};
  model.opsets[form.domain] = form.last_opset;
  auto& graph = *model.proto->mutable_graph();
  auto& node = *graph.add_node();
  node.set_op_type(form.op_type);
  node.set_domain(form.domain);
  node.set_name("sample");
  for (int i = 0; i < schema->min_input(); ++i) {
    const auto& parameter = schema->inputs().at(std::min(static_cast<size_t>(i), schema->inputs().size() - 1));
    const std::string name = "in" + std::to_string(i);
    bool sizes = false;
    const TensorType type(operand_type(*schema, parameter, dtype, sizes), Shape::of(i == 0 ? shapes.first : shapes.others));
    node.add_input(name);
    if (sizes) {
      auto& initializer = *graph.add_initializer();
      initializer.set_name(name);
      model.weights.put(initializer, std::make_shared<const Tensor>(kIntegers.at(static_cast<size_t>(variant) / kShapes.size())()));
    } else {
      auto& input = *graph.add_input();
      input.set_name(name);
      *input.mutable_type() = type_to_proto(type);
    }
  }
  for (const auto& [name, attribute] : schema->attributes())
    if (attribute.required) set_attribute(node, attribute);
  node.add_output("out");
  graph.add_output()->set_name("out");
  return Importer(model, {}).run();
}

}  // namespace onecard
