#include <set>
#include <tuple>

#include "lib/onnx/model.h"
#include "lib/onnx/operators.h"

namespace onecard {

namespace {

constexpr size_t kMaxNames = 5;                       // node names listed per operator

// Walks every node of a model, each function once, and collects what cannot be imported.
class Search {
 public:
  explicit Search(const onnx::ModelProto& model) : operators_(model) {}
  void graph(const onnx::GraphProto& graph, const Opsets& opsets) { nodes(graph.node(), opsets); }
  std::vector<Unsupported> found() const {
    std::vector<Unsupported> list;
    for (const auto& [key, unsupported] : found_) list.push_back(unsupported);
    return list;
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
    if (domain == "ai.onnx.preview.training" || domain == "ai.onnx.training") return "an operator of training, which is left out; export the model for inference";
    const auto& known = onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
    if (!known.contains(domain)) return "an operator of the domain '" + domain + "', which is not ONNX's and not defined in the model";
    const bool exists = onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(opset_of(node, opsets)), domain) != nullptr;
    return exists ? "not supported yet" : "onnx has no such operator at this opset";
  }

  void add(const onnx::NodeProto& node, const Opsets& opsets, const std::string& reason) {
    const std::string domain = standard_domain(node.domain());
    Unsupported& entry = found_[{domain, node.op_type(), opset_of(node, opsets)}];
    entry.domain = domain;
    entry.op_type = node.op_type();
    entry.opset = opset_of(node, opsets);
    entry.reason = reason;
    ++entry.count;
    const std::string& name = node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name();
    if (!name.empty() && entry.node_names.size() < kMaxNames) entry.node_names.push_back(name);
  }

  Operators operators_;
  std::set<const onnx::FunctionProto*> visited_;      // membership only
  std::map<std::tuple<std::string, std::string, int64_t>, Unsupported> found_;
};

}  // namespace

std::vector<Unsupported> find_unsupported(const LoadedModel& model) {
  Search search(*model.proto);
  search.graph(model.proto->graph(), model.opsets);
  return search.found();
}

std::vector<Unsupported> find_unsupported(const Path& model, const ImportOptions& options) {
  ErrorScope scope("importing " + model.filename().string());
  return find_unsupported(load_model(model, options));
}

std::string to_text(const Unsupported& u) {
  std::string text = (u.domain.empty() ? "" : u.domain + ".") + u.op_type + " (opset " + std::to_string(u.opset) + ", " + std::to_string(u.count) + (u.count == 1 ? " node" : " nodes");
  for (size_t i = 0; i < u.node_names.size(); ++i) text += (i == 0 ? ": '" : ", '") + u.node_names[i] + "'";
  if (u.count > static_cast<int64_t>(u.node_names.size()) && !u.node_names.empty()) text += ", …";
  return text + "): " + u.reason;
}

}  // namespace onecard
