#include "lib/flow/calibrate.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <sstream>

#include "lib/bundle/encodings.h"
#include "lib/ir/text.h"

namespace onecard {

namespace {

constexpr std::string_view kCacheTitle = "onecard calibration 1 ";

void widen(ValueRange& r, const Tensor& t) {
  const auto scan = [&](auto values) {
    for (const float v : values)
      if (std::isfinite(v)) r.min = std::min(r.min, v), r.max = std::max(r.max, v);
  };
  if (t.dtype() == DType::f32) scan(t.data<float>());
  else if (t.dtype() == DType::f16) scan(t.data<Half>());
  else if (t.dtype() == DType::bf16) scan(t.data<BFloat16>());
}

bool is_finite(const Tensor& t) {
  if (!t.has_value() || t.dtype() != DType::f32) return true;
  return std::all_of(t.data<float>().begin(), t.data<float>().end(), [](float v) { return std::isfinite(v); });
}

}  // namespace

std::map<std::string, ValueRange> calibrate_ranges(const GraphPtr& graph, Device& device, const SampleSource& samples, const Carry& carry,
                                                   const std::function<void(double)>& progress) {
  std::map<std::string, ValueRange> ranges;
  const auto see = [&](const std::string& name, const Tensor& t) {
    constexpr float kNone = std::numeric_limits<float>::infinity();
    if (t.has_value() && is_float(t.dtype())) widen(ranges.emplace(name, ValueRange{kNone, -kNone}).first->second, t);
  };
  Executor executor(graph, device);
  executor.set_tap([&](const Value& v, const Tensor& t) { see(v.name, t); });
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < samples.size(); ++i) {
    Sample sample = samples.read(i);
    apply_carry(carry, *graph, i, outputs, sample);
    std::vector<const Tensor*> in;
    for (size_t k = 0; k < sample.inputs.size(); ++k) {
      in.push_back(&sample.inputs[k]);
      require(is_finite(sample.inputs[k]), ErrorKind::usage, "sample '", sample.name, "': input '", graph->inputs[k]->name, "' holds NaN or infinity: ranges cannot be found on it");
      see(graph->inputs[k]->name, sample.inputs[k]);
    }
    executor.run(in, outputs);
    progress(static_cast<double>(i + 1) / static_cast<double>(samples.size()));
  }
  std::erase_if(ranges, [](const auto& entry) { return !(entry.second.min <= entry.second.max); });
  return ranges;
}

std::string graph_key(const Graph& graph) {
  Checksum sum;
  const std::string text = to_text(graph);
  sum.add(std::as_bytes(std::span(text)));
  for (const auto& v : graph.values()) {
    if (!v.constant || v.type.dtype == DType::string) continue;
    const ConstTensor t = materialize(v.constant);
    sum.add({t->raw(), static_cast<size_t>(t->bytes())});
  }
  char hex[24];
  const auto end = std::to_chars(hex, hex + sizeof hex, sum.value(), 16).ptr;
  return std::string(hex, end);
}

void write_calibration_cache(const Path& path, const std::string& key, const std::map<std::string, ValueRange>& ranges) {
  std::ostringstream out;
  out << kCacheTitle << key << "\n";
  for (const auto& [name, r] : ranges) {
    print_value(out, name);
    out << " ";
    print_value(out, r.min);
    out << " ";
    print_value(out, r.max);
    out << "\n";
  }
  write_text(path, out.str());
}

std::map<std::string, ValueRange> read_calibration_cache(const Path& path, const std::string& key) {
  ErrorScope scope("reading " + path.string());
  const std::string text = read_text(path);
  const size_t line = std::min(text.find('\n'), text.size());
  require(text.starts_with(kCacheTitle), ErrorKind::usage, "this is no calibration cache");
  require(text.substr(0, line) == std::string(kCacheTitle) + key, ErrorKind::usage, "the calibration cache belongs to another model, or was made with other options; delete it");
  const ParseOptions none;
  TextReader in(std::string_view(text).substr(line), none);
  std::map<std::string, ValueRange> ranges;
  while (in.peek() != 0) {
    const std::string name = in.quoted();
    const auto low = static_cast<float>(in.number()), high = static_cast<float>(in.number());
    ranges[name] = {low, high};
  }
  return ranges;
}

}  // namespace onecard
