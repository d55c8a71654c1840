#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/file.h"
#include "lib/bundle/self_check.h"
#include "lib/ir/graph.h"

namespace onecard {

// One constant as it lies in a bundle.
struct StoredConstant {
  TensorType type;
  format::Encoding encoding = format::Encoding::raw;
  uint64_t offset = 0;                                // in the weights section
  std::vector<uint32_t> chunk_bytes;
  int64_t stored_bytes() const;
};

struct BundleSizes {
  int64_t file_bytes = 0;
  int64_t weight_bytes = 0;                           // decoded
  int64_t weight_bytes_stored = 0;
};

// Writes graph, manifest and self-check; the file appears whole under its name or not at all. The same contents give the same bytes at any
// thread count. Weights are read and encoded some 32 MiB at a time; `progress` hears the share done after each. Raises io.
using WriteProgress = std::function<void(double share)>;
BundleSizes write_bundle(const Path& path, const Graph& graph, const std::string& manifest_json, const std::optional<SelfCheck>& self_check,
                         const WriteProgress& progress = {});

enum class CheckWeights { now, never };               // whether opening reads the weights to verify their checksum

// A bundle opened for reading. Every byte but the weights is verified on opening, the weights too unless told otherwise. Raises io when
// anything is damaged or the version is newer.
class Bundle {
 public:
  static std::shared_ptr<const Bundle> open(const Path& path, CheckWeights weights);
  const std::string& manifest() const { return manifest_; }
  const std::optional<SelfCheck>& self_check() const { return self_check_; }
  const std::vector<StoredConstant>& constants() const { return constants_; }
  const std::string& graph_text() const { return graph_text_; }
  int64_t file_bytes() const { return static_cast<int64_t>(file_->size()); }
  // The network; constants above 64 KiB stay in the file until they are materialized.
  Graph graph() const;
  // Decodes constant `i` into exactly its bytes, chunks in parallel.
  void load(size_t i, std::span<std::byte> into) const;
  // How many elements of constant `i` have a bit set, from its bitmaps; nothing where it is stored without.
  std::optional<int64_t> nonzeros(size_t i) const;

 private:
  struct Section {
    uint64_t offset = 0, bytes = 0, checksum = 0;
  };
  void read_header(std::vector<Section>& sections) const;
  Bytes read_section(const Section& s, uint64_t limit, const char* name) const;
  void read_index(const Bytes& bytes);
  void check_weights() const;
  std::shared_ptr<const InputFile> file_;
  std::weak_ptr<const Bundle> self_;
  Section weights_;
  std::string manifest_, graph_text_;
  std::optional<SelfCheck> self_check_;
  std::vector<StoredConstant> constants_;
};

// Whether the file begins as a bundle does.
bool looks_like_bundle(const Path& path);

}  // namespace onecard
