// A bundle: header, sections, index, self-check and graph; every weight decoded; then what is done with any graph.
#include "lib/bundle/bundle.h"
#include "lib/base/parallel.h"
#include "tests/fuzz/hostile.h"

using namespace onecard;

namespace {
constexpr int64_t kMostDecodedBytes = 16 << 20;  // zeros compress well: a claim of more is legal and only slow
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const ScratchFolder folder;
  set_threads(1);
  const Path path = folder.write("model.onecard", {data, size});
  refusing([&] {
    const auto bundle = Bundle::open(path, CheckWeights::now);
    Graph graph = bundle->graph();
    for (const Value& v : graph.values())
      if (v.is_constant() && v.constant->bytes() <= kMostDecodedBytes) materialize(v.constant);
    use_graph(std::move(graph));
  });
  return 0;
}
