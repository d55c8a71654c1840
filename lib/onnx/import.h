#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/file.h"
#include "lib/ir/graph.h"

namespace onecard {

struct ImportOptions {
  std::vector<Path> allowed_external_roots;           // external data may also lie below these folders
  std::map<std::string, Dims> shapes;                 // fixed shapes of inputs, by name; an unknown or contradicting one is a usage error
  // Gets all data files that were read; who streams over the weights in them may let go of the pages read so far.
  std::vector<std::shared_ptr<const MappedFile>>* data_files = nullptr;
};

// One operator of a model that cannot be imported.
struct Unsupported {
  std::string domain, op_type;
  int64_t opset = 0;
  int64_t count = 0;
  std::vector<std::string> node_names;                // of the first five nodes that have a name
  std::string reason;
};

// The graph of an ONNX model of any opset up to newest_onnx_opset(). Raises io when the file cannot be read; model when it is not an ONNX
// model, fails onnx's checker, reads outside its folder, or holds unsupported nodes, all of which are listed in one message.
Graph import_onnx(const Path& model, const ImportOptions& options = {});

// Every node of the model, its subgraphs and the functions it calls that cannot be imported, by operator and reason; sorted by domain and name. Empty:
// import_onnx succeeds. Raises as import_onnx does for what is wrong with the model and not with a node.
std::vector<Unsupported> find_unsupported(const Path& model, const ImportOptions& options = {});
// "Frobnicate (opset 17, 2 nodes: 'a', 'b'): why".
std::string to_text(const Unsupported& u);

// The newest opset of the standard domain that the onnx library knows.
int64_t newest_onnx_opset();

}  // namespace onecard
