#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/file.h"
#include "lib/ir/graph.h"

namespace onecard {

// One set of inputs in the graph's order, with the known answers by output name.
struct Sample {
  std::string name;
  std::vector<Tensor> inputs;
  std::map<std::string, Tensor> answers;
};

// How photographs become tensors (`--preprocess`): resize the short side, crop the centre, colour order, (x * scale - mean) / std.
struct Preprocess {
  int64_t resize = 0, crop = 0;  // 0: as large as the model's input asks
  bool bgr = false, nhwc = false;
  float scale = 1.0f / 255;
  std::vector<float> mean{0, 0, 0}, std{1, 1, 1};
};
Preprocess parse_preprocess(const std::string& spec);  // a name (imagenet, unit, raw) or key=value list; raises usage

struct SampleOptions {
  std::optional<Path> data;              // --data
  std::map<std::string, Path> inputs;    // --input NAME=FILE
  std::optional<uint64_t> random_seed;   // --random
  std::vector<TensorType> random_types;  // with it: static input types
  std::optional<Preprocess> preprocess;
  SymbolValues dims;                   // --dim: what every sample must keep
  std::map<std::string, Dims> shapes;  // --shape: the same
};

// The samples that the options name, each read when it is asked for; all of --data's forms in docs: a folder of .pb files, of such folders, of .npz, of
// photographs, or one .npz. Photographs that are read again are kept as tensors, up to 24 MiB. May be read by several threads. Raises usage when
// there are none or one does not fit the graph's inputs or the sizes given, io when one cannot be read.
class SampleSource {
 public:
  SampleSource(const Graph& graph, SampleOptions options);
  size_t size() const { return places_.size(); }
  // Whether any sample comes with an answer, as far as names tell: no sample is read.
  bool has_answers() const;
  Sample read(size_t i) const;

 private:
  enum class Form : uint8_t { pb_folder, npz, photograph, files, random };
  struct Place {
    Form form;
    Path path;
    std::string name;
  };
  Sample read_pb_folder(const Place& place) const;
  Sample read_npz_sample(const Place& place) const;
  Sample read_files(const Place& place) const;
  Sample read_place(const Place& place) const;
  void find_places(const Path& data);
  const Graph& graph_;
  SampleOptions options_;
  std::vector<Place> places_;
  struct Kept;  // photographs
  std::shared_ptr<Kept> kept_;
};

// A photograph as a tensor for an input of this type: a float, or u8 where the picture's own values are asked for. Raises io or usage.
Tensor read_photograph(const Path& path, const Preprocess& how, const Value& input);
// One tensor from .npy, .pb, .bin (raw bytes of the input's type), .png or .jpg.
Tensor read_tensor_file(const Path& path, const Value& input, const std::optional<Preprocess>& how);
// Raises usage unless the tensor is what the input takes: element type, rank and numbered extents equal.
void check_sample_input(const Value& input, const Tensor& t);

}  // namespace onecard
