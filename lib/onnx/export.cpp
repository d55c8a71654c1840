#include "lib/onnx/export.h"

#include "lib/onnx/exporter.h"
#include "lib/onnx/model.h"
#include "lib/onnx/tensor_to_proto.h"

namespace onecard {

namespace {

constexpr int64_t kExternalFromBytes = int64_t{1500} << 20;  // protobuf ends at 2 GB
constexpr int64_t kInlineBytes = 1024;                // smaller tensors stay in the model, where readers look for shapes
constexpr uint64_t kPageBytes = 4096;                 // so that readers can map each tensor

// Weights as part of the model.
class InlineWeights : public WeightSink {
 public:
  onnx::TensorProto put(const std::string& name, const ConstTensor& tensor) override { return tensor_to_proto(name, *materialize(tensor)); }
};

// Weights in a file beside the model.
class FileWeights : public WeightSink {
 public:
  explicit FileWeights(const Path& path) : location_(path.filename().string()), file_(path) {}
  onnx::TensorProto put(const std::string& name, const ConstTensor& tensor) override {
    const ConstTensor resident = materialize(tensor);
    if (resident->dtype() == DType::string || resident->bytes() <= kInlineBytes) return tensor_to_proto(name, *resident);
    const std::string padding((kPageBytes - file_.written() % kPageBytes) % kPageBytes, '\0');
    file_.write(padding);
    onnx::TensorProto proto = header_to_proto(name, *resident);
    proto.set_data_location(onnx::TensorProto::EXTERNAL);
    add(proto, "location", location_);
    add(proto, "offset", std::to_string(file_.written()));
    add(proto, "length", std::to_string(resident->bytes()));
    file_.write(std::span(resident->raw(), static_cast<size_t>(resident->bytes())));
    return proto;
  }
  void commit() { file_.commit(); }

 private:
  static void add(onnx::TensorProto& proto, const std::string& key, const std::string& value) {
    auto& entry = *proto.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }
  std::string location_;
  AtomicFile file_;
};

int64_t weight_bytes(const Graph& graph, int depth) {
  int64_t bytes = 0;
  for (const Value& v : graph.values())
    if (v.is_constant() && v.constant->type().container == Container::tensor) bytes += v.constant->bytes();
  for (const Node& node : graph.nodes())
    for (const GraphPtr& body : node.op->subgraphs())
      if (body && depth < kMaxDepth) bytes += weight_bytes(*body, depth + 1);
  return bytes;
}

}  // namespace

void export_onnx(const Graph& graph, const Path& out) {
  ErrorScope scope("exporting " + out.filename().string());
  if (weight_bytes(graph, 0) > kExternalFromBytes) {
    Path data = out;
    data += ".data";
    FileWeights weights(data);
    const onnx::ModelProto model = Exporter(weights).run(graph);
    weights.commit();
    return write_file(model, out);
  }
  InlineWeights weights;
  const onnx::ModelProto model = Exporter(weights).run(graph);
  try {
    check_model(model);
  } catch (const Error& e) {
    fail(ErrorKind::internal, "the model written fails onnx's check: ", e.message);
  }
  write_file(model, out);
}

}  // namespace onecard
