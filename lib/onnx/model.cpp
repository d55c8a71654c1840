#include "lib/onnx/model.h"

#include <onnx/checker.h>
#include <onnx/defs/schema.h>

#include <algorithm>
#include <set>

#include "lib/onnx/names.h"
#include "lib/onnx/schema_table.h"

namespace onecard {

namespace {

using onnx::OpSchemaRegistry;

// Repeated imports of one domain are legal for most readers but not for onnx's own code.
void merge_opset_imports(onnx::ModelProto& model) {
  if (model.opset_import_size() == 0 && model.ir_version() < 3) return;
  const Opsets highest = opsets_of(model.opset_import());
  std::set<std::string> seen;
  google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto> merged;
  for (const auto& import : model.opset_import()) {
    if (!seen.insert(import.domain()).second) continue;
    auto& kept = *merged.Add();
    kept.set_domain(import.domain());
    kept.set_version(highest.at(standard_domain(import.domain())));
  }
  model.mutable_opset_import()->Swap(&merged);
}

void check_opsets(const Opsets& opsets) {
  const auto& known = OpSchemaRegistry::DomainToVersionRange::Instance().Map();
  for (const auto& [domain, version] : opsets) {
    const std::string name = domain.empty() ? "opset " : "opset of domain '" + domain + "' ";
    require(version >= 1, ErrorKind::model, name, version, " does not exist");
    const auto range = known.find(domain);
    if (range == known.end()) continue;
    require(version <= range->second.second, ErrorKind::model, name, version, " is newer than ", range->second.second, ", the newest known here; export the model with that or an older one");
  }
}

// Models of which check_model() only looks at the graph: it says nothing of their head.
bool is_plain(const onnx::ModelProto& model) {
  return model.ir_version() >= 3 && model.ir_version() <= onnx::Version::IR_VERSION && model.metadata_props_size() <= 1 && model.opset_import_size() > 0 &&
         model.functions_size() == 0;
}

// check_model() of a plain model, its operators looked up in our table.
void check_plain(const onnx::ModelProto& model) {
  const SchemaTable schemas;
  onnx::checker::CheckerContext context;
  context.set_schema_registry(&schemas);
  context.set_ir_version(static_cast<int>(model.ir_version()));
  std::unordered_map<std::string, int> imports;
  for (const auto& import : model.opset_import()) imports[import.domain()] = static_cast<int>(import.version());
  context.set_opset_imports(std::move(imports));
  onnx::checker::check_graph(model.graph(), context, onnx::checker::LexicalScopeContext());
}

// Operators that ONNX 1.0 to 1.3 had as experimental: its checker has no rules for them, or only for later forms. They are shown to it as
// operators of a domain it does not know.
constexpr std::string_view kExperimental[] = {"ATen",    "Affine",       "ConstantFill",        "Crop",  "DynamicSlice", "GRUUnit",        "GivenTensorFill", "ImageScaler",
                                              "MeanVarianceNormalization", "ParametricSoftplus", "Scale", "ScaledTanh",   "ThresholdedRelu"};
constexpr const char* kUncheckedDomain = "onecard.unchecked";

// How many were hidden.
int64_t hide_experimental(google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes, int64_t opset) {
  int64_t hidden = 0;
  for (auto& node : nodes) {
    const bool named = standard_domain(node.domain()).empty() && std::find(std::begin(kExperimental), std::end(kExperimental), node.op_type()) != std::end(kExperimental);
    if (named && !OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(opset), "")) {
      node.set_domain(kUncheckedDomain);
      ++hidden;
    }
    for (auto& attribute : *node.mutable_attribute())
      if (attribute.has_g()) hidden += hide_experimental(*attribute.mutable_g()->mutable_node(), opset);
  }
  return hidden;
}

void import_domain(onnx::ModelProto& model, const std::string& domain) {
  auto& import = *model.add_opset_import();
  import.set_domain(domain);
  import.set_version(1);
}

}  // namespace

int64_t newest_onnx_opset() { return OpSchemaRegistry::DomainToVersionRange::Instance().Map().at("").second; }

namespace {

constexpr const char* kForeignDomain = "com.microsoft";
// What ONNX Runtime saves in the standard domain, at opsets where ONNX has no such operator.
constexpr std::string_view kSavedByOnnxRuntime[] = {"LayerNormalization", "SimplifiedLayerNormalization"};

// Gives them a domain that the checker leaves alone. Whether there were any.
bool exempt_foreign(google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes, int64_t opset) {
  bool any = false;
  for (auto& node : nodes) {
    for (auto& attribute : *node.mutable_attribute()) {
      if (attribute.has_g()) any = exempt_foreign(*attribute.mutable_g()->mutable_node(), opset) || any;
      for (auto& graph : *attribute.mutable_graphs()) any = exempt_foreign(*graph.mutable_node(), opset) || any;
    }
    if (!standard_domain(node.domain()).empty()) continue;
    const bool named = std::find(std::begin(kSavedByOnnxRuntime), std::end(kSavedByOnnxRuntime), node.op_type()) != std::end(kSavedByOnnxRuntime);
    if (!named || onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(opset), "")) continue;
    node.set_domain(kForeignDomain);
    any = true;
  }
  return any;
}

}  // namespace

// The checker wants a shape and a type of everything named in the graph's interface; other readers, and we, do without.
void check_model(const onnx::ModelProto& model) {
  onnx::ModelProto typed = model;
  for (auto& input : *typed.mutable_graph()->mutable_input())
    if (input.type().has_tensor_type()) input.mutable_type()->mutable_tensor_type()->mutable_shape();
  for (auto& output : *typed.mutable_graph()->mutable_output()) {
    auto& type = *output.mutable_type();
    const bool other = type.value_case() != onnx::TypeProto::VALUE_NOT_SET && !type.has_tensor_type();
    if (other) continue;
    auto& tensor = *type.mutable_tensor_type();
    tensor.mutable_shape();
    if (!tensor.has_elem_type()) tensor.set_elem_type(onnx::TensorProto::FLOAT);
  }
  const Opsets opsets = opsets_of(typed.opset_import());
  const auto standard = opsets.find("");
  if (hide_experimental(*typed.mutable_graph()->mutable_node(), standard == opsets.end() ? 1 : standard->second) > 0) {
    if (opsets.empty()) import_domain(typed, "");
    typed.set_ir_version(std::max<int64_t>(typed.ir_version(), 3));
    import_domain(typed, kUncheckedDomain);
  }
  const bool foreign = standard != opsets.end() && exempt_foreign(*typed.mutable_graph()->mutable_node(), std::clamp<int64_t>(standard->second, 1, INT32_MAX));
  if (foreign && !opsets.contains(kForeignDomain)) import_domain(typed, kForeignDomain);
  if (typed.ir_version() == 3) typed.set_ir_version(4);  // weights that are no inputs: against the letter of version 3, but written and read
  guarded([&] {
    if (is_plain(typed)) return check_plain(typed);
    onnx::checker::check_model(typed);
  });
}

LoadedModel load_model(const Path& path, const ImportOptions& options) {
  auto proto = std::make_unique<onnx::ModelProto>();
  parse_file(*proto, path, "ONNX model");
  require(proto->has_graph(), ErrorKind::model, "'", path.filename().string(), "' is no ONNX model: it holds no graph");
  check_names(*proto);
  merge_opset_imports(*proto);
  Opsets opsets = opsets_of(proto->opset_import());
  opsets.emplace("", 1);
  check_opsets(opsets);
  LoadedModel model{std::move(proto), Weights(path, options.allowed_external_roots), std::move(opsets)};
  model.weights.take(*model.proto);
  return model;
}

}  // namespace onecard
