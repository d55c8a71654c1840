#include "tools/model_file.h"

#include "lib/flow/load_model.h"
#include "lib/onnx/import.h"

namespace onecard {

Network open_model(const OpenRequest& request) {
  if (names_bundle(request.path)) return open_bundle(request);
  ImportOptions options;
  options.shapes = request.shapes;
  options.allowed_external_roots = request.external_roots;
  Graph graph = import_onnx(request.path, options);
  if (request.form == Form::ready_to_run) prepare_to_run(graph);
  return {std::make_shared<const Graph>(std::move(graph)), nullptr};
}

}  // namespace onecard
