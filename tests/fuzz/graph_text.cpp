// The text form of a graph, without numbered constants.
#include "lib/base/parallel.h"
#include "lib/ops/registry.h"
#include "tests/fuzz/hostile.h"

using namespace onecard;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  set_threads(1);
  refusing([&] { use_graph(parse_graph({reinterpret_cast<const char*>(data), size})); });
  return 0;
}
