// An ONNX file: the list of what is unsupported, import, the passes, a binding.
#include "lib/base/parallel.h"
#include "lib/onnx/import.h"
#include "tests/fuzz/hostile.h"

using namespace onecard;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const ScratchFolder folder;
  set_threads(1);
  const Path model = folder.write("model.onnx", {data, size});
  refusing([&] { find_unsupported(model); });
  refusing([&] { use_graph(import_onnx(model)); });
  return 0;
}
