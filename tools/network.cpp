#include "tools/command.h"

namespace onecard {

bool names_bundle(const Path& path) { return path.extension() == ".onecard" || looks_like_bundle(path); }

Network open_bundle(const OpenRequest& request) {
  Network n;
  n.bundle = Bundle::open(request.path, request.check);
  n.graph = std::make_shared<const Graph>(n.bundle->graph());
  return n;
}

}  // namespace onecard
