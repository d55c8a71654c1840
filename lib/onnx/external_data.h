#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/file.h"
#include "lib/ir/tensor.h"

namespace onecard {

// Where a tensor's bytes lie outside the model, as the file says it: unchecked text.
struct ExternalPlace {
  std::string location;
  std::optional<std::string> offset, length;
};

// The data files of one model. Only regular files inside the folder of the path by which the model was named, or inside the allowed roots, are opened,
// links resolved first; a file with further names (hard links), which may belong to another folder, only inside an allowed root. Each is mapped once and
// lives as long as a tensor in it.
class ExternalFiles {
 public:
  ExternalFiles(const Path& model, const std::vector<Path>& allowed_roots);
  // The tensor at that place; raises model when the place is not allowed or too small, io when the file cannot be opened.
  Tensor load(const TensorType& type, const ExternalPlace& place);
  // All files opened so far.
  std::vector<std::shared_ptr<const MappedFile>> opened() const;

 private:
  Path resolve(const std::string& location) const;
  std::shared_ptr<const MappedFile> open(const std::string& location);
  Path folder_;
  std::vector<Path> roots_;                           // canonical; the first is the model's folder
  std::map<Path, std::shared_ptr<const MappedFile>> open_;
  std::map<std::string, std::shared_ptr<const MappedFile>> by_location_;  // resolved once
};

}  // namespace onecard
