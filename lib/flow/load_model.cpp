#include "lib/flow/load_model.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "lib/bundle/encodings.h"
#include "passes/pipeline.h"

namespace onecard {

namespace {
constexpr uint64_t kPieceBytes = uint64_t{1} << 20;
}

void prepare_to_run(Graph& graph) {
  PassContext context;
  run_pipeline(graph, context, standard_pipeline());
}

FileHash hash_file(const Path& path) {
  const auto file = InputFile::open(path);
  Checksum sum;
  std::vector<std::byte> piece(std::min(kPieceBytes, file->size()));
  for (uint64_t at = 0; at < file->size();) {
    const std::span<std::byte> part(piece.data(), std::min(kPieceBytes, file->size() - at));
    file->read(at, part);
    sum.add(part);
    at += part.size();
  }
  char hex[17];
  std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(sum.value()));
  return {hex, static_cast<int64_t>(file->size())};
}

}  // namespace onecard
