#include "lib/runtime/data/samples.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <set>

#include "lib/bundle/self_check.h"
#include "lib/runtime/bind.h"
#include "lib/runtime/data/npy.h"
#include "lib/runtime/data/tensor_pb.h"

namespace onecard {

namespace {

// --dim and --shape say what a sample has; one that has something else was meant for another run.
void check_sizes(const Value& input, const Tensor& t, const SampleOptions& options) {
  if (!t.has_value() || t.type().container != Container::tensor) return;
  if (const auto shape = options.shapes.find(input.name); shape != options.shapes.end())
    require(shape->second == t.dims(), ErrorKind::usage, "input '", input.name, "' is ", t.type(), ", --shape says ", Shape::of(shape->second));
  if (!input.type.shape.has_rank()) return;
  SymbolValues given;
  for (const auto& [name, value] : options.dims) given[symbol_name(name)] = value;
  const Shape wanted = input.type.shape.bind(given);
  for (int64_t i = 0; i < wanted.rank(); ++i)
    require(!wanted[i].is_number() || wanted[i].number() == t.dims()[static_cast<size_t>(i)], ErrorKind::usage, "input '", input.name, "' is ",
            t.type(), ", with --dim it would be ", wanted);
}

std::string lower_extension(const Path& p) {
  std::string e = p.extension().string();
  std::transform(e.begin(), e.end(), e.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return e;
}
bool is_photograph(const Path& p) {
  const auto e = lower_extension(p);
  return e == ".jpg" || e == ".jpeg" || e == ".png";
}

std::vector<Path> sorted_entries(const Path& folder) {
  std::vector<Path> found;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(folder, code)) found.push_back(entry.path());
  require(!code, ErrorKind::io, "cannot list '", folder.string(), "': ", code.message());
  std::sort(found.begin(), found.end());
  return found;
}

Value* input_named(const Graph& graph, const std::string& name) {
  for (Value* v : graph.inputs)
    if (v->name == name) return v;
  return nullptr;
}
std::string input_names(const Graph& graph) {
  std::string names;
  for (const Value* v : graph.inputs) names += (names.empty() ? "" : ", ") + v->name;
  return names;
}

}  // namespace

void check_sample_input(const Value& input, const Tensor& t) {
  if (!t.has_value()) return;
  try {
    check_input(input, t.type());
  } catch (const Error& e) {
    if (e.kind == ErrorKind::model) throw Error(ErrorKind::usage, e.message, e.where);  // the model is good, the data is another's
    throw;
  }
}

SampleSource::SampleSource(const Graph& graph, SampleOptions options) : graph_(graph), options_(std::move(options)), kept_(std::make_shared<Kept>()) {
  const int given = (options_.data ? 1 : 0) + (options_.inputs.empty() ? 0 : 1) + (options_.random_seed ? 1 : 0);
  require(given <= 1, ErrorKind::usage, "--data, --input and --random exclude each other");
  require(given == 1 || graph.inputs.empty(), ErrorKind::usage, "give inputs: --data PATH, --input NAME=FILE or --random SEED");
  if (options_.data) {
    find_places(*options_.data);
    return;
  }
  for (const auto& [name, path] : options_.inputs)
    require(input_named(graph, name) != nullptr, ErrorKind::usage, "--input ", name, ": the model has no such input; it has ", input_names(graph));
  places_.push_back(
      {options_.inputs.empty() ? Form::random : Form::files, {}, options_.random_seed ? "random-" + std::to_string(*options_.random_seed) : "input"});
}

void SampleSource::find_places(const Path& data) {
  std::error_code code;
  require(std::filesystem::exists(data, code), ErrorKind::io, "no such file or folder: '", data.string(), "'");
  if (!std::filesystem::is_directory(data)) {
    require(lower_extension(data) == ".npz", ErrorKind::usage, "--data takes a folder or an .npz file, not '", data.string(), "'");
    places_.push_back({Form::npz, data, data.stem().string()});
    return;
  }
  const auto base = data.filename().empty() ? data.parent_path() : data;
  const auto entries = sorted_entries(data);
  const auto holds_pb = [](const Path& folder) { return std::filesystem::exists(folder / "input_0.pb"); };
  const bool answers_alone = graph_.inputs.empty() && std::filesystem::exists(data / "output_0.pb");
  if (holds_pb(data) || answers_alone) {
    places_.push_back({Form::pb_folder, data, base.filename().string()});
    return;
  }
  for (const auto& e : entries) {
    if (std::filesystem::is_directory(e) && holds_pb(e)) places_.push_back({Form::pb_folder, e, e.filename().string()});
    else if (lower_extension(e) == ".npz") places_.push_back({Form::npz, e, e.stem().string()});
  }
  if (!places_.empty()) return;
  for (const auto& e : entries)
    if (is_photograph(e)) places_.push_back({Form::photograph, e, e.stem().string()});
  require(!places_.empty(), ErrorKind::usage, "'", data.string(), "' holds no samples: no input_0.pb, .npz or photographs");
  require(options_.preprocess.has_value(), ErrorKind::usage, "'", data.string(),
          "' holds photographs: say with --preprocess how they become tensors");
  require(graph_.inputs.size() == 1, ErrorKind::usage, "photographs can feed a model of one input; this one has ", input_names(graph_));
}

bool SampleSource::has_answers() const {
  const auto is_answer = [&](const std::string& name) {
    return !input_named(graph_, name) && std::any_of(graph_.outputs.begin(), graph_.outputs.end(), [&](const Value* v) { return v->name == name; });
  };
  return std::any_of(places_.begin(), places_.end(), [&](const Place& p) {
    if (p.form == Form::pb_folder) return std::filesystem::exists(p.path / "output_0.pb");
    if (p.form != Form::npz) return false;
    const auto names = names_in_npz(p.path);
    return std::any_of(names.begin(), names.end(), is_answer);
  });
}

namespace {
constexpr int64_t kMostKeptBytes = int64_t{24} << 20;

Sample photograph(const std::string& name, Tensor values) {
  Sample s;
  s.name = name;
  s.inputs.push_back(std::move(values));
  return s;
}

}  // namespace

// A photograph takes as long to decode and resize as a small network to run.
struct SampleSource::Kept {
  std::mutex mutex;
  std::set<size_t> read;           // at least once
  std::map<size_t, Sample> again;  // and once more: those are likely to be read often
  int64_t bytes = 0;
};

Sample SampleSource::read(size_t i) const {
  const Place& place = places_.at(i);
  if (place.form != Form::photograph) return read_place(place);
  bool first = false;
  {
    const std::lock_guard lock(kept_->mutex);
    if (const auto it = kept_->again.find(i); it != kept_->again.end()) return photograph(it->second.name, it->second.inputs[0].clone());
    first = kept_->read.insert(i).second;
  }
  Sample s = read_place(place);
  const std::lock_guard lock(kept_->mutex);
  if (!first && kept_->bytes + s.inputs[0].bytes() <= kMostKeptBytes && kept_->again.emplace(i, photograph(s.name, s.inputs[0].clone())).second)
    kept_->bytes += s.inputs[0].bytes();
  return s;
}

Sample SampleSource::read_place(const Place& place) const {
  Sample s;
  switch (place.form) {
    case Form::pb_folder: s = read_pb_folder(place); break;
    case Form::npz: s = read_npz_sample(place); break;
    case Form::files: s = read_files(place); break;
    case Form::photograph: s.inputs.push_back(read_photograph(place.path, *options_.preprocess, *graph_.inputs[0])); break;
    case Form::random:
      for (size_t k = 0; k < graph_.inputs.size(); ++k)
        s.inputs.push_back(random_tensor(options_.random_types.at(k), options_.random_seed.value_or(0) + k));
      break;
  }
  s.name = place.name;
  ErrorScope scope("sample '" + s.name + "'");
  for (size_t k = 0; k < s.inputs.size(); ++k) {
    check_sample_input(*graph_.inputs[k], s.inputs[k]);
    check_sizes(*graph_.inputs[k], s.inputs[k], options_);
  }
  return s;
}

Sample SampleSource::read_pb_folder(const Place& place) const {
  Sample s;
  s.inputs.resize(graph_.inputs.size());
  std::vector<bool> filled(graph_.inputs.size());
  for (size_t i = 0; i < graph_.inputs.size(); ++i) {
    const Path file = place.path / ("input_" + std::to_string(i) + ".pb");
    if (!std::filesystem::exists(file)) break;
    PbTensor read = read_tensor_pb(file, graph_.inputs[i]->type.container);
    // Order is what counts; a name that is another input's shows a file written in another order.
    size_t at = i;
    for (size_t k = 0; k < graph_.inputs.size(); ++k)
      if (!read.name.empty() && graph_.inputs[k]->name == read.name && !filled[k]) at = k;
    s.inputs[at] = std::move(read.tensor);
    filled[at] = true;
  }
  for (size_t i = 0; i < filled.size(); ++i)
    require(filled[i], ErrorKind::usage, "'", place.path.string(), "' has no input_", i, ".pb for '", graph_.inputs[i]->name, "'");
  for (size_t i = 0; i < graph_.outputs.size(); ++i) {
    const Path file = place.path / ("output_" + std::to_string(i) + ".pb");
    if (!std::filesystem::exists(file)) break;
    s.answers[graph_.outputs[i]->name] = read_tensor_pb(file, graph_.outputs[i]->type.container).tensor;
  }
  return s;
}

Sample SampleSource::read_npz_sample(const Place& place) const {
  Sample s;
  s.inputs.resize(graph_.inputs.size());
  std::vector<bool> filled(graph_.inputs.size());
  for (auto& [name, tensor] : read_npz(place.path)) {
    bool used = false;
    for (size_t i = 0; i < graph_.inputs.size(); ++i)
      if (graph_.inputs[i]->name == name) {
        s.inputs[i] = std::move(tensor);
        filled[i] = used = true;
        break;
      }
    for (const Value* v : graph_.outputs)
      if (!used && v->name == name) {
        s.answers[name] = std::move(tensor);
        break;
      }
  }
  for (size_t i = 0; i < filled.size(); ++i)
    require(filled[i], ErrorKind::usage, "'", place.path.string(), "' has no array '", graph_.inputs[i]->name, "'; the model's inputs are ",
            input_names(graph_));
  return s;
}

Sample SampleSource::read_files(const Place&) const {
  Sample s;
  for (const Value* v : graph_.inputs) {
    const auto it = options_.inputs.find(v->name);
    require(it != options_.inputs.end(), ErrorKind::usage, "--input ", v->name, "=FILE is missing; the model's inputs are ", input_names(graph_));
    s.inputs.push_back(read_tensor_file(it->second, *v, options_.preprocess));
  }
  return s;
}

Tensor read_tensor_file(const Path& path, const Value& input, const std::optional<Preprocess>& how) {
  ErrorScope scope("reading " + path.string());
  const auto e = lower_extension(path);
  if (e == ".npy") return read_npy(MappedFile::open(path)->bytes());
  if (e == ".pb") return read_tensor_pb(path, input.type.container).tensor;
  if (is_photograph(path)) {
    require(how.has_value(), ErrorKind::usage,
            "a photograph needs --preprocess, which says how it becomes a tensor: imagenet, unit (0 to 1), raw (0 to 255) or resize=256,crop=224,…");
    return read_photograph(path, *how, input);
  }
  require(e == ".bin", ErrorKind::usage, "inputs are read from .npy, .pb, .bin, .png and .jpg");
  require(input.type.is_static(), ErrorKind::usage, "raw bytes for '", input.name, "' need its shape: --shape ", input.name, ":…");
  const auto file = MappedFile::open(path);
  Tensor t(input.type);
  require(static_cast<int64_t>(file->bytes().size()) == t.bytes(), ErrorKind::io, "the file has ", file->bytes().size(), " bytes, ", input.type,
          " needs ", t.bytes());
  std::memcpy(t.raw(), file->bytes().data(), file->bytes().size());
  normalize_booleans(t);
  return t;
}

}  // namespace onecard
