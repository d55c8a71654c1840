#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "lib/base/file.h"
#include "lib/ir/graph.h"

namespace onecard {

// A folder of this process that is removed when it ends.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  // Puts the bytes into a file of that name; its path.
  Path write(const std::string& name, std::span<const uint8_t> bytes) const;

 private:
  Path path_;
};

// Runs `body` on hostile bytes. A refusal with a documented exit code (model, does not fit, io) is an answer; an internal or usage error, which would
// call a strange file our own bug, ends the process, as does any other exception.
template <class F>
void refusing(F&& body) {
  try {
    body();
  } catch (const Error& e) {
    if (e.kind == ErrorKind::internal || e.kind == ErrorKind::usage || e.kind == ErrorKind::check_failed) throw;
  }
}

// What every command does with a graph that was read: text and back, the standard pipeline, a binding to the smallest sizes.
void use_graph(Graph graph);

}  // namespace onecard
