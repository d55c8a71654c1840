#include "tests/fuzz/hostile.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <vector>

#include "lib/ir/text.h"
#include "lib/ops/registry.h"
#include "lib/runtime/sizes.h"
#include "passes/pipeline.h"

namespace onecard {

namespace {

// The text form is what a bundle carries: it must lose nothing. Types are inferred anew by reading, and may then say more than a pass left there:
// what is compared are two readings.
void round_trip(const Graph& graph) {
  std::map<ConstTensor, int64_t> numbers;
  std::vector<ConstTensor> constants;
  const auto number = [&](const ConstTensor& t) {
    const auto [entry, added] = numbers.emplace(t, static_cast<int64_t>(constants.size()));
    if (added) constants.push_back(t);
    return entry->second;
  };
  const auto constant_at = [&](int64_t k, const TensorType&) { return constants.at(static_cast<size_t>(k)); };
  const auto reread = [&](const Graph& g) { return parse_graph(to_text(g, ConstantText::reference, number), ParseOptions{make_op, constant_at}); };
  const Graph once = reread(graph), twice = reread(once);
  require(once.nodes().size() == graph.nodes().size() && same_structure(once, twice), ErrorKind::internal,
          "the graph read back from its text is another:\n", to_text(graph), to_text(once));
}

}  // namespace

ScratchFolder::ScratchFolder() {
  const bool in_memory = ::access("/dev/shm", W_OK) == 0;
  std::string name = std::string(in_memory ? "/dev/shm" : "/tmp") + "/onecard-fuzz-XXXXXX";
  require(::mkdtemp(name.data()) != nullptr, ErrorKind::io, "no scratch folder '", name, "'");
  path_ = name;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Path ScratchFolder::write(const std::string& name, std::span<const uint8_t> bytes) const {
  const Path path = path_ / name;
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return path;
}

void use_graph(Graph graph) {
  verify(graph);
  round_trip(graph);
  PassContext context;
  run_pipeline(graph, context, standard_pipeline());
  round_trip(graph);
  choose_sizes(graph, {}, {});
}

}  // namespace onecard
