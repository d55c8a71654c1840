#include "lib/flow/calibrate.h"

#include <array>
#include <charconv>
#include <sstream>

#include "lib/bundle/encodings.h"
#include "lib/ir/text.h"

namespace onecard {

namespace {

constexpr std::string_view kKind = "onecard calibration ", kTitle = "onecard calibration 3 ";
constexpr std::array kMethods = {"auto", "minmax", "entropy", "percentile", "mse"};
constexpr std::array kWeights = {"keep", "repair"}, kMeans = {"keep", "match"}, kSums = {"original", "own"};
constexpr std::array kRounding = {"none", "nearest", "by_error"};

template <class E, size_t N>
const char* word_of(const std::array<const char*, N>& words, E value) {
  return words[static_cast<size_t>(value)];
}

template <class E, size_t N>
E value_of(const std::array<const char*, N>& words, TextReader& in) {
  const std::string word = in.word();
  for (size_t i = 0; i < N; ++i)
    if (word == words[i]) return static_cast<E>(i);
  in.error("'" + word + "' is none of the words that stand here");
}

void print_site(std::ostream& out, const std::string& layer, const SiteQuantization& site) {
  out << "layer ";
  print_value(out, layer);
  out << " ";
  print_value(out, site.dtype);
  out << " ";
  print_value(out, site.scale);
  for (const float d : site.divisor) {
    out << " ";
    print_value(out, d);
  }
  out << " ;\n";
}

SiteQuantization read_site(TextReader& in) {
  SiteQuantization site;
  const std::string type = in.word();
  if (type != "i8" && type != "u8") in.error("a layer's integers are i8 or u8, not '" + type + "'");
  site.dtype = type == "u8" ? DType::u8 : DType::i8;
  const auto positive = [&] {
    const auto v = static_cast<float>(in.number());
    if (!std::isnormal(v) || v < 0) in.error("a scale is a positive number");
    return v;
  };
  site.scale = positive();
  while (!in.accept(';')) site.divisor.push_back(positive());
  return site;
}

Calibrated parsed(std::string_view text, std::optional<CalibrationMethod> method) {
  const ParseOptions none;
  TextReader in(text, none);
  Calibrated found;
  if (!in.accept_word("method")) in.error("the method is missing");
  const auto made_by = value_of<CalibrationMethod>(kMethods, in);
  require(!method || *method == made_by, ErrorKind::usage, "the calibration cache was made by --calibration ", word_of(kMethods, made_by),
          ", not by ", word_of(kMethods, method.value_or(made_by)), "; delete it");
  if (!in.accept_word("recipe")) in.error("the recipe is missing");
  found.recipe = in.quoted();
  found.how.weights = value_of<Weights>(kWeights, in);
  found.how.rounding = value_of<Rounding>(kRounding, in);
  found.how.means = value_of<Means>(kMeans, in);
  found.how.sums = value_of<Sums>(kSums, in);
  while (in.accept_word("float")) found.skip.insert(in.quoted());
  while (!in.accept_word("end")) {
    if (!in.accept_word("layer")) in.error(in.peek() == 0 ? "the end is missing" : "a line that is none of a calibration cache");
    const std::string layer = in.quoted();
    found.sites[layer] = read_site(in);
  }
  if (in.number() != static_cast<double>(found.skip.size() + found.sites.size()) || in.peek() != 0) in.error("lines are missing");
  return found;
}

}  // namespace

const char* name_of(CalibrationMethod method) { return word_of(kMethods, method); }

std::optional<RangeRule> range_rule(CalibrationMethod method) {
  switch (method) {
    case CalibrationMethod::automatic: return std::nullopt;
    case CalibrationMethod::minmax: return RangeRule::whole;
    case CalibrationMethod::entropy: return RangeRule::entropy;
    case CalibrationMethod::percentile: return RangeRule::percentile;
    case CalibrationMethod::mse: return RangeRule::mse;
  }
  return std::nullopt;
}

std::string graph_key(const Graph& graph, const std::string& options) {
  Checksum sum;
  const std::string text = to_text(graph);
  sum.add(std::as_bytes(std::span(text)));
  sum.add(std::as_bytes(std::span(options)));
  for (const auto& v : graph.values()) {
    if (!v.constant || v.type.dtype == DType::string) continue;
    const ConstTensor t = materialize(v.constant);
    sum.add({t->raw(), static_cast<size_t>(t->bytes())});
  }
  char hex[24];
  const auto end = std::to_chars(hex, hex + sizeof hex, sum.value(), 16).ptr;
  return std::string(hex, end);
}

void write_calibration_cache(const Path& path, const std::string& key, CalibrationMethod method, const Calibrated& found) {
  std::ostringstream out;
  out << kTitle << key << "\nmethod " << name_of(method) << "\nrecipe ";
  print_value(out, found.recipe);
  out << " " << word_of(kWeights, found.how.weights) << " " << word_of(kRounding, found.how.rounding) << " " << word_of(kMeans, found.how.means)
      << " " << word_of(kSums, found.how.sums) << "\n";
  for (const std::string& layer : found.skip) {
    out << "float ";
    print_value(out, layer);
    out << "\n";
  }
  for (const auto& [layer, site] : found.sites) print_site(out, layer, site);
  out << "end " << found.skip.size() + found.sites.size() << "\n";
  write_text(path, out.str());
}

Calibrated read_calibration_cache(const Path& path, const std::string& key, std::optional<CalibrationMethod> method) {
  ErrorScope scope("reading " + path.string());
  const std::string text = read_text(path);
  const size_t line = std::min(text.find('\n'), text.size());
  require(text.starts_with(kKind), ErrorKind::usage, "this is no calibration cache");
  require(text.starts_with(kTitle), ErrorKind::usage, "the calibration cache was written by another version; delete it");
  require(text.substr(0, line) == std::string(kTitle) + key, ErrorKind::usage,
          "the calibration cache belongs to another model, or was made with other options; delete it");
  try {
    return parsed(std::string_view(text).substr(line), method);
  } catch (const Error& e) {
    if (e.kind != ErrorKind::model) throw;
    throw Error(ErrorKind::io, "the calibration cache is damaged: " + e.message, e.where);
  }
}

}  // namespace onecard
