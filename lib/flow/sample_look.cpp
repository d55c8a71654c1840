#include "lib/flow/sample_look.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "lib/base/in_order.h"

namespace onecard {

namespace {

constexpr int64_t kMostRows = 256;      // whose products with each other are looked at
constexpr int64_t kMostPoints = 4096;   // of a row, over all inputs
constexpr int64_t kFewestRows = 8;      // fewer, and compression holds none back (judge.h)
constexpr double kFewestEffective = 2;  // less than two samples that differ
constexpr double kAlike = 0.75;         // of the rows: two that differ are hardly ever two effective ones
constexpr size_t kNamed = 3;

bool is_number(const Tensor& t) {
  return t.has_value() && t.type().container == Container::tensor && t.dtype() != DType::string && info(t.dtype()).kind != DKind::complex &&
         t.elements() > 0;
}

// Whether the model leaves the first axis of an input open: what lies along it are samples of their own.
bool is_batched(const Value& input) {
  const Shape& shape = input.type.shape;
  return shape.has_rank() && shape.rank() >= 2 && !shape[0].is_number();
}

// One sample as it is looked at.
struct Looked {
  std::string name;
  int64_t rows = 1;
  std::vector<std::vector<float>> points;  // per row kept, over all inputs that count
  std::vector<bool> varies;                // per input
  bool finite = true;
};

class Looker {
 public:
  Looker(const Graph& graph, const Carry& carry, int64_t most_rows) : graph_(graph), most_rows_(most_rows) {
    for (const Value* v : graph.inputs)
      counts_.push_back(std::none_of(carry.pairs.begin(), carry.pairs.end(), [&](const auto& pair) { return pair.second == v->name; }));
    const auto inputs = std::max<int64_t>(1, std::count(counts_.begin(), counts_.end(), true));
    points_ = std::clamp<int64_t>(kMostPoints / inputs, 16, 1024);
  }
  int64_t points() const { return points_; }  // of an input

  Looked look(const Sample& sample) const {
    Looked l;
    l.name = sample.name;
    l.rows = rows_of(sample);
    const int64_t kept = std::min(l.rows, most_rows_);
    l.points.resize(static_cast<size_t>(kept));
    for (size_t k = 0; k < sample.inputs.size(); ++k) {
      const Tensor& t = sample.inputs[k];
      const bool counts = counts_[k] && is_number(t);
      l.varies.push_back(counts && scan(t, l.finite));
      if (!counts_[k]) continue;
      const bool apart = counts && l.rows > 1 && is_batched(*graph_.inputs[k]);
      const int64_t size = !counts ? 0 : apart ? t.elements() / l.rows : t.elements();
      for (int64_t r = 0; r < kept; ++r)
        for (int64_t p = 0; p < points_; ++p)
          l.points[static_cast<size_t>(r)].push_back(counts ? finite(t.at((apart ? r * l.rows / kept * size : 0) + p * size / points_)) : 0.0f);
    }
    return l;
  }

 private:
  static float finite(double v) { return std::isfinite(v) ? static_cast<float>(v) : 0.0f; }

  // What all inputs have along their open first axes, else 1.
  int64_t rows_of(const Sample& sample) const {
    int64_t rows = 0;
    for (size_t k = 0; k < sample.inputs.size(); ++k) {
      if (!counts_[k] || !is_number(sample.inputs[k]) || !is_batched(*graph_.inputs[k])) continue;
      const int64_t here = sample.inputs[k].dims()[0];
      if (rows != 0 && rows != here) return 1;
      rows = here;
    }
    return std::max<int64_t>(rows, 1);
  }

  // Whether there is more than one number in it. A single element is not asked to vary.
  static bool scan(const Tensor& t, bool& all_finite) {
    bool varies = t.elements() == 1;
    const auto look = [&](auto values) {
      const float first = values[0];
      for (const float v : values) {
        varies = varies || v != first;
        all_finite = all_finite && std::isfinite(v);
      }
    };
    if (t.dtype() == DType::f32) look(t.data<float>());
    else if (t.dtype() == DType::f16) look(t.data<Half>());
    else if (t.dtype() == DType::bf16) look(t.data<BFloat16>());
    else {
      const auto bytes = static_cast<size_t>(t.bytes()), width = std::max<size_t>(1, bytes / static_cast<size_t>(t.elements()));
      for (size_t i = width; i + width <= bytes && !varies; i += width) varies = std::memcmp(t.raw(), t.raw() + i, width) != 0;
    }
    return varies;
  }

  const Graph& graph_;
  const int64_t most_rows_;
  std::vector<bool> counts_;
  int64_t points_ = 1;
};

// Takes every input's mean away and divides by its spread; inputs without any become 0.
void normalize(std::vector<std::vector<float>>& rows, size_t points) {
  for (size_t begin = 0; begin < rows[0].size(); begin += points) {
    double sum = 0, squares = 0;
    for (const auto& row : rows)
      for (size_t i = begin; i < begin + points; ++i) sum += row[i], squares += static_cast<double>(row[i]) * row[i];
    const auto count = static_cast<double>(rows.size() * points);
    const double mean = sum / count, variance = squares / count - mean * mean;
    const double scale = variance > 1e-12 * squares / count ? 1 / std::sqrt(variance) : 0;
    for (auto& row : rows)
      for (size_t i = begin; i < begin + points; ++i) row[i] = static_cast<float>((row[i] - mean) * scale);
  }
}

double effective_rows(std::vector<std::vector<float>> rows, size_t points) {
  if (rows.size() < 2 || rows[0].empty()) return static_cast<double>(rows.size());
  normalize(rows, points);
  double trace = 0, sum = 0, squares = 0;  // of the rows' products with each other
  for (size_t a = 0; a < rows.size(); ++a)
    for (size_t b = 0; b <= a; ++b) {
      double product = 0;
      for (size_t i = 0; i < rows[a].size(); ++i) product += static_cast<double>(rows[a][i]) * rows[b][i];
      if (a == b) trace += product;
      sum += (a == b ? 1 : 2) * product;
      squares += (a == b ? 1 : 2) * product * product;
    }
  if (trace <= 0) return 1;
  const auto n = static_cast<double>(rows.size());
  const double correlation = std::max(0.0, (sum / trace - 1) / (n - 1));
  return std::max(n / (1 + (n - 1) * correlation), trace * trace / squares);
}

std::string names(const std::vector<std::string>& all) {
  std::string text;
  for (size_t i = 0; i < std::min(all.size(), kNamed); ++i) text += (i ? ", '" : "'") + all[i] + "'";
  return text + (all.size() > kNamed ? ", …" : "");
}

std::string count_text(int64_t count, const char* what) { return std::to_string(count) + " " + what + (count == 1 ? "" : "s"); }

}  // namespace

SampleLook look_at_samples(const Graph& graph, const SampleSource& samples, const Carry& carry, int workers) {
  SampleLook look;
  look.samples = static_cast<int64_t>(samples.size());
  look.looked_at = std::min<int64_t>(look.samples, kMostLookedAt);
  const Looker looker(graph, carry, std::max<int64_t>(kMostRows / std::max<int64_t>(look.looked_at, 1), 1));
  std::vector<Looked> all;
  const auto read = [&](int, int64_t i) { return looker.look(samples.read(static_cast<size_t>(i * look.samples / look.looked_at))); };
  in_order(look.looked_at, workers, read, [&](int64_t, Looked l) { all.push_back(std::move(l)); });
  std::vector<std::vector<float>> rows;
  for (Looked& l : all) {
    look.rows += l.rows;
    for (auto& row : l.points) rows.push_back(std::move(row));
    if (!l.finite) look.not_finite.push_back(l.name);
  }
  for (const Looked& l : all)
    if (std::find(l.varies.begin(), l.varies.end(), true) == l.varies.end()) look.constant.push_back(l.name);
  look.effective = effective_rows(std::move(rows), static_cast<size_t>(looker.points()));
  return look;
}

std::vector<std::string> sample_warnings(const SampleLook& look) {
  std::vector<std::string> warnings;
  char effective[32];
  std::snprintf(effective, sizeof effective, "%.1f", look.effective);
  const std::string what = count_text(look.looked_at, "sample") + (look.rows == look.looked_at ? "" : " of " + count_text(look.rows, "row")) +
                           ", effective " + effective + ": ";
  if (look.rows > 1 && look.effective < std::min(kFewestEffective, kAlike * static_cast<double>(look.rows)))
    warnings.push_back(
        what +
        "they are nearly the same, so ranges and figures found on them hold for little else; give samples as different as what the network will see");
  else if (look.rows < kFewestRows)
    warnings.push_back(what + "too few to hold any back, so the figures are of samples that compression was fitted to; give " +
                       std::to_string(kFewestRows) + " or more");
  if (!look.constant.empty())
    warnings.push_back(std::to_string(look.constant.size()) + " of " + count_text(look.looked_at, "sample") +
                       " hold one number everywhere: " + names(look.constant) + "; ranges found on them are too narrow");
  if (!look.not_finite.empty())
    warnings.push_back(std::to_string(look.not_finite.size()) + " of " + count_text(look.looked_at, "sample") +
                       " hold NaN or infinity: " + names(look.not_finite) + "; such numbers count as nothing");
  return warnings;
}

}  // namespace onecard
