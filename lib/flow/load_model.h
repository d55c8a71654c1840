#pragma once
#include <string>

#include "lib/base/file.h"
#include "lib/ir/graph.h"

namespace onecard {

// Runs the passes that `optimize` runs without further flags, so that a model runs as fast as its bundle.
void prepare_to_run(Graph& graph);

// XXH3 of a file's bytes in hexadecimal, and their number; the file is never in memory as a whole. Raises io.
struct FileHash {
  std::string hex;
  int64_t bytes = 0;
};
FileHash hash_file(const Path& path);

}  // namespace onecard
