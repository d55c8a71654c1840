#include <set>
#include <tuple>

#include "lib/onnx/importer.h"
#include "lib/onnx/operators.h"

namespace onecard {

namespace {

constexpr size_t kMaxNames = 5;  // node names listed per operator

// Operators that are refused for a reason of their own; an empty name stands for the whole domain.
struct Refused {
  std::string_view domain, op_type, why;
};
constexpr Refused kRefused[] = {
    {"ai.onnx.ml", "ZipMap", "gives maps, and values are tensors here; convert the model with options={'zipmap': False}, or end it at this node's input, which has the same numbers"},
    {"ai.onnx.ml", "CastMap", "takes maps, and values are tensors here; begin the model at this node's output"},
    {"ai.onnx.ml", "DictVectorizer", "takes maps, and values are tensors here; begin the model at this node's output"},
    {"ai.onnx.preview.training", "", "an operator of training, which is left out; export the model for inference"},
    {"ai.onnx.training", "", "an operator of training, which is left out; export the model for inference"},
    {"com.microsoft.nchwc", "", "a layout that ONNX Runtime made for one processor; save the model with ORT_ENABLE_EXTENDED instead of ORT_ENABLE_ALL"},
    {"com.microsoft.internal.nhwc", "", "a layout that ONNX Runtime made for one device; save the model with ORT_ENABLE_EXTENDED instead of ORT_ENABLE_ALL"},
    {"com.microsoft", "Tokenizer", "it splits text by rules of ONNX Runtime; give the network tokens"},
    {"com.microsoft", "BeamSearch", "a whole generation loop; export the decoder alone and search outside of it"},
    {"com.microsoft", "WhisperBeamSearch", "a whole generation loop; export encoder and decoder alone and search outside of them"},
    {"com.microsoft", "GreedySearch", "a whole generation loop; export the decoder alone and search outside of it"},
    {"com.microsoft", "Sampling", "a whole generation loop; export the decoder alone and sample outside of it"},
    {"com.microsoft", "EPContext", "a network compiled for one device; use the model it was compiled from"},
};

// Walks every node of a model, each function once, and collects what cannot be imported.
class Search {
 public:
  using Key = std::tuple<std::string, std::string, int64_t, std::string>;
  explicit Search(const onnx::ModelProto& model) : operators_(model) {}
  void graph(const onnx::GraphProto& graph, const Opsets& opsets) { nodes(graph.node(), opsets); }
  std::vector<Unsupported> found() const {
    std::vector<Unsupported> list;
    for (const auto& [key, unsupported] : found_) list.push_back(unsupported);
    return list;
  }

  // A node that cannot be imported; once each.
  void add(const onnx::NodeProto& node, const Opsets& opsets, const std::string& reason) {
    if (!listed_.insert(&node).second) return;
    const std::string domain = standard_domain(node.domain());
    Unsupported& entry = found_[Key{domain, node.op_type(), opset_of(node, opsets), reason}];
    entry.domain = domain;
    entry.op_type = node.op_type();
    entry.opset = opset_of(node, opsets);
    entry.reason = reason;
    ++entry.count;
    const std::string& name = node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name();
    if (!name.empty() && entry.node_names.size() < kMaxNames) entry.node_names.push_back(name);
  }

 private:
  using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;
  void nodes(const Nodes& nodes, const Opsets& opsets) {
    for (const auto& node : nodes) {
      visit(node, opsets);
      for (const auto& attribute : node.attribute()) {
        if (attribute.has_g()) graph(attribute.g(), opsets);
        for (const auto& body : attribute.graphs()) graph(body, opsets);
      }
    }
  }

  void visit(const onnx::NodeProto& node, const Opsets& opsets) {
    const Resolution how = operators_.resolve(node, opsets);
    if (how.function) {
      if (visited_.insert(how.function).second) nodes(how.function->node(), function_opsets(*how.function, opsets));
    } else if (how.schema) {
      const std::string missing = missing_in_body(*how.schema, opset_of(node, opsets), opsets, 0);
      if (!missing.empty()) add(node, opsets, "its definition by onnx needs " + missing + ", which is not supported");
    } else if (!how) {
      add(node, opsets, why(node, opsets));
    }
  }

  // The first operator that the onnx library's function body needs and that cannot be imported, or "".
  std::string missing_in_body(const onnx::OpSchema& schema, int64_t opset, const Opsets& opsets, int depth) const {
    const auto* body = schema_body(schema, opset);
    if (!body || depth > kMaxDepth) return "";
    const Opsets inner = function_opsets(*body, opsets);
    for (const auto& node : body->node()) {
      const Resolution how = operators_.resolve(node, inner);
      if (!how) return node.op_type();
      if (!how.schema) continue;
      if (std::string missing = missing_in_body(*how.schema, opset_of(node, inner), inner, depth + 1); !missing.empty()) return missing;
    }
    return "";
  }

  static std::string why(const onnx::NodeProto& node, const Opsets& opsets) {
    const std::string domain = standard_domain(node.domain());
    if (const auto* importer = find_importer(domain, node.op_type()))
      return "needs opset " + std::to_string(importer->onnx.since_opset) + " or later; re-export the model";
    for (const Refused& r : kRefused)
      if (r.domain == domain && (r.op_type.empty() || r.op_type == node.op_type())) return std::string(r.why);
    const auto& known = onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
    if (!known.contains(domain)) return "an operator of the domain '" + domain + "', which is not ONNX's and not defined in the model";
    const bool exists = onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(opset_of(node, opsets)), domain) != nullptr;
    return exists ? "not supported yet" : "onnx has no such operator at this opset";
  }

  Operators operators_;
  std::set<const onnx::FunctionProto*> visited_;      // membership only
  std::set<const onnx::NodeProto*> listed_;           // membership only: a function's node is one node, however often it is called
  std::map<Key, Unsupported> found_;
};

constexpr const char* kSetAside = "set.aside";        // no domain of onnx, so that its checker asks nothing of the nodes in it

// Moves nodes whose operator nobody knows into a domain of their own: what else may be wrong with the model can be looked at then.
void set_aside(google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes, const Operators& operators, const Opsets& opsets) {
  for (auto& node : nodes) {
    for (auto& attribute : *node.mutable_attribute()) {
      if (attribute.has_g()) set_aside(*attribute.mutable_g()->mutable_node(), operators, opsets);
      for (auto& body : *attribute.mutable_graphs()) set_aside(*body.mutable_node(), operators, opsets);
    }
    if (!operators.resolve(node, opsets)) node.set_domain(kSetAside);
  }
}

void set_aside(onnx::ModelProto& model, const Opsets& opsets) {
  const auto import_domain = [](auto* imports) {
    auto& import = *imports->Add();
    import.set_domain(kSetAside);
    import.set_version(1);
  };
  const Operators operators(model);
  set_aside(*model.mutable_graph()->mutable_node(), operators, opsets);
  import_domain(model.mutable_opset_import());
  for (auto& function : *model.mutable_functions()) {
    set_aside(*function.mutable_node(), operators, function_opsets(function, opsets));
    import_domain(function.mutable_opset_import());
  }
}

}  // namespace

std::vector<Unsupported> find_unsupported(const LoadedModel& model) {
  Search search(*model.proto);
  search.graph(model.proto->graph(), model.opsets);
  return search.found();
}

// First the operators that nobody knows, which takes no types; then, these set aside, whatever the import of the rest stumbles over.
std::vector<Unsupported> find_unsupported(const Path& path, const ImportOptions& options) {
  ErrorScope scope("importing " + path.filename().string());
  LoadedModel model = load_model(path, options);
  Search search(*model.proto);
  search.graph(model.proto->graph(), model.opsets);
  const bool any = !search.found().empty();
  if (any) set_aside(*model.proto, model.opsets);
  try {
    check_model(*model.proto);
    Importer(model, options).collect([&](const auto& node, const auto& opsets, const auto& reason) { search.add(node, opsets, reason); });
  } catch (const Error& e) {
    if (e.kind != ErrorKind::model || !any) throw;    // what was found already is the better answer
  }
  return search.found();
}

std::string to_text(const Unsupported& u) {
  std::string text = (u.domain.empty() ? "" : u.domain + ".") + u.op_type + " (opset " + std::to_string(u.opset) + ", " + std::to_string(u.count) +
                     (u.count == 1 ? " node" : " nodes");
  for (size_t i = 0; i < u.node_names.size(); ++i) text += (i == 0 ? ": '" : ", '") + u.node_names[i] + "'";
  if (u.count > static_cast<int64_t>(u.node_names.size()) && !u.node_names.empty()) text += ", …";
  return text + "): " + u.reason;
}

}  // namespace onecard
