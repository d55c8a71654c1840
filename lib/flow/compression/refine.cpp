#include "lib/flow/compression/refine.h"

#include <algorithm>
#include <cmath>

#include "lib/ops/conv_transpose.h"
#include "lib/ops/matmul.h"
#include "lib/ops/quantize.h"
#include "passes/filter_bank.h"

namespace onecard {

namespace {

constexpr int64_t kFewestRows = 1024, kMostRows = 6144, kRowsPerDepth = 4;
constexpr int64_t kMostRowElements = int64_t{8} << 20;     // of one sample and layer
constexpr int64_t kMostChunkElements = int64_t{32} << 20;  // moments held at once
constexpr double kWork = 4e11, kWorkOfRun = 2e7;           // multiplications all runs together may cost; what a run costs beside its own

// The index of the scale of column n of group g in the weight's quantization, and its axis.
struct ScalePlace {
  int64_t axis = 0, count = 1;
  bool one = false;     // a single scale
  bool shared = false;  // by all groups
  size_t index(const Layer& l, int64_t g, int64_t n) const { return one ? 0 : static_cast<size_t>(shared ? n : g * l.width + n); }
};
ScalePlace scale_place(const Layer& l) {
  if (l.node->as<Conv>()) return {0, l.groups * l.width, false, false};
  if (l.node->as<ConvTranspose>()) return l.groups == 1 ? ScalePlace{1, l.width, false, false} : ScalePlace{-1, 1, true, false};
  if (const auto* matmul = l.node->as<MatMul>()) return {matmul->transpose_b == Transpose2::yes ? 0 : 1, l.width, false, false};
  return {1, l.width, false, true};
}

// One layer while it is being settled.
struct Work {
  Layer dense, base;  // of the two graphs
  std::optional<SiteQuantization> site;
  Moments moments;
};

// The rows as the layer will see them: rounded to the site's integers and divided.
void through_site(Rows& rows, const Layer& l, const SiteQuantization& site) {
  const float low = site.dtype == DType::u8 ? 0.0f : -128.0f, high = site.dtype == DType::u8 ? 255.0f : 127.0f;
  for (int64_t g = 0; g < l.groups; ++g)
    for (int64_t k = 0; k < l.depth; ++k) {
      const int64_t channel = l.source == RowSource::last_axis ? k : (g * l.depth + k) / l.taps;
      const float step = site.scale * (site.divisor.empty() ? 1.0f : site.divisor[static_cast<size_t>(channel)]);
      float* at = rows.values.data() + (g * l.depth + k) * rows.count;
      for (int64_t r = 0; r < rows.count; ++r) at[r] = std::clamp(std::nearbyint(at[r] / step), low, high) * site.scale;
    }
}

float divisor_of(const Work& w, int64_t g, int64_t k) {
  if (!w.site || w.site->divisor.empty()) return 1.0f;
  const Layer& l = w.base;
  return w.site->divisor[static_cast<size_t>(l.source == RowSource::last_axis ? k : (g * l.depth + k) / l.taps)];
}

std::vector<float> scales_of(const Layer& l, const ScalePlace& place, const std::vector<std::vector<float>>& matrices) {
  std::vector<float> top(static_cast<size_t>(place.count), 0.0f);
  for (int64_t g = 0; g < l.groups; ++g)
    for (size_t i = 0; i < matrices[static_cast<size_t>(g)].size(); ++i) {
      float& t = top[place.index(l, g, static_cast<int64_t>(i) % l.width)];
      t = std::max(t, std::abs(matrices[static_cast<size_t>(g)][i]));
    }
  for (float& t : top) t = std::isnormal(t / 127.0f) ? t / 127.0f : 1.0f;
  return top;
}

// The bias of every column of every group as the node has it; nothing when it has one that is no constant of that form.
std::optional<std::vector<double>> bias_of(const Layer& l) {
  const size_t input = is_recurrent(l) ? 3 : 2;
  const int64_t columns = l.groups * l.width, elements = input == 3 ? 2 * columns : columns;
  const Value* bias = l.node->input(input);
  if (!bias) return std::vector<double>(static_cast<size_t>(elements), 0.0);
  if (!bias->constant || bias->type.quant || !is_float(bias->type.dtype)) return std::nullopt;
  const ConstTensor data = materialize(bias->constant);
  const bool flat = input == 3 || (data->rank() > 0 && data->dims().back() == data->elements());
  if (data->elements() != elements || !flat) return std::nullopt;
  return to_doubles(*data);
}

Tensor bias_tensor(const Layer& l, const std::vector<double>& values, DType dtype) {
  const bool recurrent = static_cast<int64_t>(values.size()) != l.groups * l.width;
  Tensor t(dtype, recurrent ? Dims{l.groups, 2 * l.width} : Dims{l.groups * l.width});
  for (size_t i = 0; i < values.size(); ++i) t.set(static_cast<int64_t>(i), values[i]);
  return t;
}

size_t bias_place(const Layer& l, size_t bias_size, int64_t g, int64_t n) {
  const bool recurrent = static_cast<int64_t>(bias_size) != l.groups * l.width;
  return static_cast<size_t>(recurrent ? g * 2 * l.width + n : g * l.width + n);
}

class Refiner {
 public:
  Refiner(const Networks& n, Device& device, const SampleSource& samples, const std::vector<size_t>& fitted,
          const std::map<std::string, SiteQuantization>& sites, const std::set<std::string>& skip, const Refinement& how)
      : networks_(n), device_(device), samples_(samples), fitted_(fitted), how_(how), products_(device) {
    std::map<std::string, Layer> originals;
    for (Layer& l : find_layers(*n.dense)) originals.emplace(l.name, l);
    for (Layer& l : find_layers(*n.base)) {
      const auto it = originals.find(l.name);
      const bool same = it != originals.end() && it->second.groups == l.groups && it->second.depth == l.depth && it->second.width == l.width &&
                        it->second.taps == l.taps;
      if (!same || skip.contains(l.name) || (l.input == 1 && is_filter_bank(*it->second.node))) continue;
      if (is_recurrent(l) && l.node->inputs[l.input]->type.dtype != DType::f32) continue;  // dequantize gives f32
      const auto site = sites.find(l.name);
      work_.push_back({it->second, l, site == sites.end() ? std::nullopt : std::optional(site->second), {}});
    }
  }

  FoundLayers run(const std::function<void(double)>& progress) {
    const size_t chunks = how_.sequential() ? chunk_count() : 1;
    size_t begin = 0;
    while (begin < work_.size()) {
      const size_t wanted = (work_.size() + chunks - 1) / chunks;
      size_t end = begin;
      int64_t elements = 0;
      while (end < work_.size() && end - begin < wanted && (end == begin || elements + moment_elements(work_[end].base) <= kMostChunkElements))
        elements += moment_elements(work_[end++].base);
      if (how_.sequential()) gather(begin, end);
      for (size_t i = begin; i < end; ++i) {
        settle(work_[i]);
        work_[i].moments = {};
      }
      begin = end;
      progress(static_cast<double>(begin) / static_cast<double>(work_.size()));
    }
    return std::move(found_);
  }

 private:
  // So many that all the runs they need stay within kWork.
  size_t chunk_count() {
    Executor planner(networks_.dense, device_);
    const Sample sample = samples_.read(fitted_.at(0));
    std::vector<TensorType> types;
    for (const Tensor& t : sample.inputs) types.push_back(t.type());
    double flops = kWorkOfRun;
    for (const PlanStep& s : planner.prepare(types).steps)
      if (s.step) flops += s.step->flops;
    const double per_chunk = 2 * flops * static_cast<double>(fitted_.size());
    return static_cast<size_t>(std::clamp(kWork / per_chunk, 3.0, static_cast<double>(std::max<size_t>(work_.size(), 3))));
  }

  int64_t rows_per_sample(const Layer& l) const {
    const int64_t wanted = std::clamp(kRowsPerDepth * l.depth, kFewestRows, kMostRows), samples = static_cast<int64_t>(fitted_.size());
    return std::clamp((wanted + samples - 1) / samples, int64_t{1}, std::max<int64_t>(1, kMostRowElements / (l.groups * l.depth)));
  }

  // Runs both networks over the samples and sums the moments of a stretch of layers.
  void gather(size_t begin, size_t end) {
    const GraphPtr now = networks_.build(found_);
    Executor dense(networks_.dense, device_), base(now, device_);
    std::map<std::string, const Node*> nodes;  // of the network as it is now, by the name of the first output
    for (const Node& n : now->nodes())
      if (!n.outputs.empty()) nodes.emplace(n.output()->name, &n);
    for (size_t f = 0; f < fitted_.size(); ++f) {
      const Sample sample = samples_.read(fitted_[f]);
      const double phase = (static_cast<double>(f) + 0.5) / static_cast<double>(fitted_.size());
      std::vector<Rows> d(end - begin), x(end - begin);
      const auto rows_of = [&](Executor& e, const GraphPtr& graph, std::vector<Rows>& out, const auto& name_of) {
        std::map<std::string, std::vector<size_t>> wanted;
        for (size_t i = begin; i < end; ++i) wanted[name_of(work_[i])].push_back(i);
        const auto take = [&](const std::string& name, const Tensor& t) {
          const auto it = wanted.find(name);
          if (it == wanted.end()) return;
          for (const size_t i : it->second) out[i - begin] = sample_rows(work_[i].dense, t, rows_per_sample(work_[i].dense), phase);
        };
        e.set_tap([&](const Value& v, const Tensor& t) { take(v.name, t); }, [&](const Value& v) { return wanted.contains(v.name); });
        std::vector<const Tensor*> in;
        for (size_t k = 0; k < sample.inputs.size(); ++k) {
          in.push_back(&sample.inputs[k]);
          take(graph->inputs[k]->name, sample.inputs[k]);
        }
        e.run(in);
      };
      rows_of(dense, networks_.dense, d, [](const Work& w) { return w.dense.x->name; });
      rows_of(base, now, x, [](const Work& w) { return w.base.x->name; });
      for (size_t i = begin; i < end; ++i) add(work_[i], x[i - begin], d[i - begin]);
    }
  }

  // Recurrent weights are fitted to the original's states on both sides: those of a network that is off lead further off.
  void add(Work& w, Rows& x, const Rows& d) {
    if (d.count == 0) return;
    const bool states = w.base.source == RowSource::states;
    if (states || x.count != d.count) x = d;
    if (w.site && !states) through_site(x, w.base, *w.site);
    add_rows(products_, w.moments, w.base, x, d);
  }

  void settle(Work& w) {
    const Layer& l = w.base;
    const ConstTensor original = materialize(w.dense.node->inputs[w.dense.input]->constant), kept = materialize(l.node->inputs[l.input]->constant);
    const bool fits = !w.moments.empty() && w.moments.rows >= 2 * std::min<int64_t>(l.depth, 64);
    std::vector<std::vector<float>> originals, starts, now;
    std::vector<std::vector<uint8_t>> masks;
    std::vector<std::optional<FitProblem>> problems;
    for (int64_t g = 0; g < l.groups; ++g) {
      originals.push_back(matrix_of(w.dense, *original, g));
      std::vector<float> start = matrix_of(l, *kept, g), pull = originals.back();
      std::vector<uint8_t> keep(start.size());
      for (size_t i = 0; i < start.size(); ++i) {
        const float by = divisor_of(w, g, static_cast<int64_t>(i) / l.width);
        keep[i] = networks_.dense == networks_.base || start[i] != 0;
        start[i] *= by;
        pull[i] *= by;
      }
      if (how_.weights == Weights::keep) pull = start;
      problems.push_back(fits ? std::optional(fit_problem(products_, l, w.moments, g, originals.back(), pull)) : std::nullopt);
      if (fits && how_.weights == Weights::repair) solve_kept(products_, *problems.back(), keep, start);
      starts.push_back(std::move(start));
      masks.push_back(std::move(keep));
    }
    now = starts;
    FoundLayer& found = found_[l.name];
    const bool whole = how_.rounding != Rounding::none;
    if (whole) found.weight = std::make_shared<const Tensor>(rounded(w, *kept, masks, problems, now));
    else if (how_.weights == Weights::repair && fits) {
      Tensor t(kept->dtype(), kept->dims());
      for (int64_t g = 0; g < l.groups; ++g) put_matrix(l, now[static_cast<size_t>(g)], g, t);
      found.weight = std::make_shared<const Tensor>(std::move(t));
    }
    if (w.site && whole) found.input = w.site;
    if (fits && how_.means == Means::match && l.source != RowSource::states) match_means(w, originals, now, found);
    if (!found.weight && !found.bias && !found.input) found_.erase(l.name);
  }

  // The weight as integers; `now` becomes what they stand for.
  Tensor rounded(const Work& w, const Tensor& like, const std::vector<std::vector<uint8_t>>& masks,
                 const std::vector<std::optional<FitProblem>>& problems, std::vector<std::vector<float>>& now) {
    const Layer& l = w.base;
    const ScalePlace place = scale_place(l);
    auto quant = std::make_shared<Quantization>();
    quant->axis = place.axis;
    quant->scale = scales_of(l, place, now);
    Tensor real(DType::f32, like.dims());
    for (int64_t g = 0; g < l.groups; ++g) {
      std::vector<float>& m = now[static_cast<size_t>(g)];
      std::vector<float> scale;
      for (int64_t n = 0; n < l.width; ++n) scale.push_back(quant->scale[place.index(l, g, n)]);
      const auto& problem = problems[static_cast<size_t>(g)];
      if (problem && how_.rounding == Rounding::by_error) round_kept(products_, *problem, masks[static_cast<size_t>(g)], scale, m);
      else
        for (size_t i = 0; i < m.size(); ++i) {
          const float s = scale[i % static_cast<size_t>(l.width)];
          m[i] = std::clamp(std::nearbyint(m[i] / s), -127.0f, 127.0f) * s;
        }
      put_matrix(l, m, g, real);
    }
    return quantize_tensor(real, DType::i8, quant);
  }

  static void match_means(const Work& w, const std::vector<std::vector<float>>& originals, const std::vector<std::vector<float>>& now,
                          FoundLayer& found) {
    const Layer& l = w.base;
    auto bias = bias_of(w.dense);
    if (!bias) return;
    for (int64_t g = 0; g < l.groups; ++g) {
      const std::vector<double> shift = bias_shift(l, w.moments, g, originals[static_cast<size_t>(g)], now[static_cast<size_t>(g)]);
      for (int64_t n = 0; n < l.width; ++n) (*bias)[bias_place(l, bias->size(), g, n)] += shift[static_cast<size_t>(n)];
    }
    found.bias = std::make_shared<const Tensor>(bias_tensor(l, *bias, l.node->output()->type.dtype));
  }

  const Networks& networks_;
  Device& device_;
  const SampleSource& samples_;
  const std::vector<size_t>& fitted_;
  const Refinement how_;
  Products products_;
  std::vector<Work> work_;
  FoundLayers found_;
};

}  // namespace

FoundLayers refine(const Networks& networks, Device& device, const SampleSource& samples, const std::vector<size_t>& fitted,
                   const std::map<std::string, SiteQuantization>& sites, const std::set<std::string>& skip, const Refinement& how,
                   const std::function<void(double)>& progress) {
  return Refiner(networks, device, samples, fitted, sites, skip, how).run(progress);
}

}  // namespace onecard
