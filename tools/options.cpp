#include "tools/options.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace onecard {

namespace {

// NAME and VALUE of "NAME=VALUE", cut at the first or last separator.
enum class Cut { first, last };
std::pair<std::string, std::string> split(const std::string& text, char separator, Cut cut, const std::string& flag, const char* form) {
  const size_t at = cut == Cut::first ? text.find(separator) : text.rfind(separator);
  require(at != std::string::npos && at > 0, ErrorKind::usage, flag, " ", text, ": the form is ", flag, " ", form);
  return {text.substr(0, at), text.substr(at + 1)};
}

int64_t whole_number(const std::string& text, const std::string& flag, const std::string& given) {
  int64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  require(error == std::errc() && end == text.data() + text.size() && n >= 0, ErrorKind::usage, flag, " ", given, ": '", text,
          "' is no whole number from 0 on");
  return n;
}

struct Unit {
  std::string_view name;
  double bytes;
};
// In small letters: 200kB, 200KB and 200k are one size. A bare letter is decimal, as the sizes that are printed.
constexpr Unit kUnits[] = {{"", 1},     {"b", 1},    {"k", 1e3},   {"kb", 1e3},     {"m", 1e6},      {"mb", 1e6},     {"g", 1e9},
                           {"gb", 1e9}, {"t", 1e12}, {"tb", 1e12}, {"kib", 0x1p10}, {"mib", 0x1p20}, {"gib", 0x1p30}, {"tib", 0x1p40}};
constexpr double kMostBytes = 0x1p62;

}  // namespace

void add_options(Flags& flags, OutputOptions& o) {
  flags.add_flag("--json", o.json, "one JSON object on stdout");
  flags.add_flag("--quiet", o.quiet, "nothing on stderr but errors");
  flags.add_flag("--verbose", o.verbose, "more on stderr");
  flags.add_choice("--progress", o.progress, {"auto", "plain", "json", "none"}, "auto, plain, json or none");
}

void add_options(Flags& flags, DeviceOptions& o) {
  flags.add_option("--device", o.device, "auto, cpu, cuda, cuda:N or reference (slow and exact)");
  flags.add_within("--threads", o.threads, 0, 4096, "CPU threads; 0: every core this process may use");
}

void add_options(Flags& flags, SourceOptions& o) {
  flags.add_list("--allow-external-root", o.external_roots, "external data of an ONNX model may also lie under this folder; repeatable");
}

void add_options(Flags& flags, SizeOptions& o) {
  flags.add_list("--shape", o.shapes, "NAME:1x3x224x224 fixes an input's shape; repeatable");
  flags.add_list("--dim", o.dims, "NAME=8 gives a symbol a value; repeatable; a symbol without one counts as 1");
}

void add_options(Flags& flags, DataOptions& o, RandomInputs random) {
  flags.add_option("--data", o.data, "samples: a folder of input_<i>.pb, of such folders, of .npz or of photographs, or one .npz");
  flags.add_list("--input", o.inputs, "NAME=FILE reads one input from .npy, .pb, .bin, .png or .jpg; repeatable");
  flags.add_list("--carry", o.carry, "OUT=IN feeds an output of one sample to an input of the next; repeatable");
  flags.add_option("--carry-start", o.carry_start, "samples at which the sequence starts anew: I,J,... (default 0)");
  flags.add_option("--preprocess", o.preprocess, "how photographs become tensors: imagenet, unit, raw or resize=256,crop=224,...");
  if (random == RandomInputs::allowed) flags.add_option("--random", o.random, "inputs made from this seed");
}

std::vector<Path> external_roots_of(const SourceOptions& o) {
  for (const auto& root : o.external_roots)
    require(std::filesystem::is_directory(root), ErrorKind::usage, "--allow-external-root ", root, ": there is no such folder");
  return {o.external_roots.begin(), o.external_roots.end()};
}

std::map<std::string, Dims> shapes_of(const SizeOptions& o) {
  std::map<std::string, Dims> shapes;
  for (const auto& text : o.shapes) {
    const auto [name, extents] = split(text, ':', Cut::last, "--shape", "NAME:1x3x224x224");
    Dims dims;
    for (size_t at = 0; at < extents.size();) {
      const size_t end = std::min(extents.find('x', at), extents.size());
      dims.push_back(whole_number(extents.substr(at, end - at), "--shape", text));
      at = end + 1;
    }
    require(shapes.emplace(name, dims).second, ErrorKind::usage, "--shape ", name, " is given twice");
  }
  return shapes;
}

SymbolValues dims_of(const SizeOptions& o) {
  SymbolValues values;
  for (const auto& text : o.dims) {
    const auto [name, value] = split(text, '=', Cut::last, "--dim", "NAME=8");
    require(values.emplace(name, whole_number(value, "--dim", text)).second, ErrorKind::usage, "--dim ", name, " is given twice");
  }
  return values;
}

Carry carry_of(const DataOptions& o) {
  Carry carry;
  require(o.carry.empty() || !o.data.empty(), ErrorKind::usage, "--carry needs samples: --data PATH");
  require(o.carry_start.empty() || !o.carry.empty(), ErrorKind::usage, "--carry-start needs --carry OUT=IN");
  for (const auto& text : o.carry) carry.pairs.push_back(split(text, '=', Cut::first, "--carry", "OUT=IN"));
  if (o.carry_start.empty()) return carry;
  carry.starts.clear();
  for (size_t at = 0; at <= o.carry_start.size();) {
    const size_t end = std::min(o.carry_start.find(',', at), o.carry_start.size());
    carry.starts.push_back(static_cast<size_t>(whole_number(o.carry_start.substr(at, end - at), "--carry-start", o.carry_start)));
    at = end + 1;
  }
  return carry;
}

SampleOptions sample_options_of(const DataOptions& o, const SizeOptions& sizes) {
  SampleOptions s;
  if (!o.data.empty()) s.data = Path(o.data);
  for (const auto& text : o.inputs) {
    const auto [name, file] = split(text, '=', Cut::first, "--input", "NAME=FILE");
    require(s.inputs.emplace(name, file).second, ErrorKind::usage, "--input ", name, " is given twice");
  }
  s.random_seed = o.random;
  require(o.preprocess.empty() || !o.data.empty() || !o.inputs.empty(), ErrorKind::usage, "--preprocess needs photographs: --data or --input");
  if (!o.preprocess.empty()) s.preprocess = parse_preprocess(o.preprocess);
  s.dims = dims_of(sizes);
  s.shapes = shapes_of(sizes);
  return s;
}

int64_t parse_size(const std::string& text, const std::string& flag, int64_t whole_bytes) {
  const auto wrong = [&] {
    fail(ErrorKind::usage, flag, " ", text, ": sizes are written 512MiB, 200kB, 6G, 1e9, 80% or -1GiB (k, M, G are decimal, Ki, Mi, Gi binary)");
  };
  const bool all_but = text.starts_with('-');
  const char* begin = text.data() + (all_but ? 1 : 0);
  const char* const end = text.data() + text.size();
  double value = 0;
  const auto [rest, error] = std::from_chars(begin, end, value);
  if (error != std::errc() || !std::isfinite(value) || value < 0) wrong();
  std::string unit(rest, static_cast<size_t>(end - rest));
  std::transform(unit.begin(), unit.end(), unit.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  double bytes = -1;
  if (unit == "%" && value <= 100) bytes = static_cast<double>(whole_bytes) * value / 100;
  for (const Unit& u : kUnits)
    if (unit == u.name) bytes = value * u.bytes;
  if (bytes < 0 || bytes > kMostBytes) wrong();
  const int64_t size = all_but ? whole_bytes - static_cast<int64_t>(bytes) : static_cast<int64_t>(bytes);
  require(size > 0, ErrorKind::usage, flag, " ", text, ": leaves ", size, " bytes of ", whole_bytes);
  return size;
}

void check_writable(const Path& file, const std::string& flag) {
  ErrorScope scope(flag + " " + file.string());
  const AtomicFile probe(file);
}

void comes_later(const std::string& flag, const std::string& what_there_is) {
  fail(ErrorKind::usage, flag, " comes in a later version; ", what_there_is);
}

}  // namespace onecard
