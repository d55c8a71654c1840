#include "lib/flow/compression/refine.h"

#include <algorithm>

#include "lib/base/in_order.h"
#include "lib/base/round_small.h"
#include "lib/flow/compression/behind_others.h"
#include "lib/flow/compression/layer_bias.h"
#include "lib/flow/compression/refinement_work.h"
#include "lib/flow/compression/surgeon.h"
#include "lib/flow/compression/work.h"
#include "lib/ops/integer_range.h"
#include "lib/ops/quantize.h"
#include "lib/ops/scale_index.h"
#include "passes/filter_bank.h"

namespace onecard {

namespace {

constexpr int64_t kMostRuns = 4;                            // of a body in one sample whose rows are taken, if each has its full share
constexpr int64_t kMostChunkElements = int64_t{32} << 20;   // of one kind of moments, or of one sample's rows, held at once
constexpr int64_t kMostPendingElements = int64_t{8} << 20;  // of rows that are summed together: a product of many costs less than many of few
constexpr size_t kStretchesApart = 3;

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
      for (int64_t r = 0; r < rows.count; ++r) at[r] = round_small(std::clamp(at[r] / step, low, high)) * site.scale;
    }
}

float divisor_of(const Work& w, int64_t g, int64_t k) {
  if (!w.site || w.site->divisor.empty()) return 1.0f;
  const Layer& l = w.base;
  return w.site->divisor[static_cast<size_t>(l.source == RowSource::last_axis ? k : (g * l.depth + k) / l.taps)];
}

// The rows of a matrix as weights of divided inputs.
void times_divisor(const Work& w, int64_t g, std::vector<float>& m) {
  if (!w.site || w.site->divisor.empty()) return;
  for (int64_t k = 0; k < w.base.depth; ++k) {
    const float by = divisor_of(w, g, k);
    for (int64_t n = 0; n < w.base.width; ++n) m[static_cast<size_t>(k * w.base.width + n)] *= by;
  }
}

// One group of a layer's weight on its way; all but `now` where rows are known.
struct Matrix {
  std::vector<float> original, now;
  std::vector<uint8_t> keep;  // elements that may be other than 0
  std::optional<FitProblem> problem;
};

// Where the integers of a layer's weight may go, one group at a time.
Steps steps_of(const Layer& l, const Dims& weight, const CodeChoice& choice, int64_t g) {
  const Quantization& q = *choice.quant;
  const ScaleIndex index(weight, scale_dims(weight, q), std::max<int64_t>(q.axis, 0), q.block);
  const bool bytes = choice.dtype == DType::i8;  // symmetric
  const IntegerRange range = integer_range(choice.dtype);
  Steps steps;
  for (std::vector<float>* v : {&steps.scale, &steps.low, &steps.high}) v->reserve(static_cast<size_t>(l.depth * l.width));
  for (int64_t k = 0; k < l.depth; ++k)
    for (int64_t n = 0; n < l.width; ++n) {
      const auto s = static_cast<size_t>(q.scale.size() == 1 ? 0 : index(l.at(g, k) + n * l.column_stride));
      const auto zero = static_cast<float>(q.zero_at(s));
      steps.scale.push_back(q.scale[s]);
      steps.low.push_back(static_cast<float>(bytes ? -127 : range.low) - zero);
      steps.high.push_back(static_cast<float>(range.high) - zero);
    }
  return steps;
}

// How much the square of each element's error counts: the power of what it multiplies.
Tensor importance_of(const Layer& l, const Dims& weight, const std::vector<Matrix>& matrices) {
  Tensor t(DType::f32, weight);
  std::vector<float> m(static_cast<size_t>(l.depth * l.width));
  for (int64_t g = 0; g < l.groups; ++g) {
    const std::vector<float>& a = matrices[static_cast<size_t>(g)].problem->a;
    for (size_t i = 0; i < m.size(); ++i) {
      const size_t k = i / static_cast<size_t>(l.width);
      m[i] = a[k * static_cast<size_t>(l.depth) + k];
    }
    put_matrix(l, m, g, t);
  }
  return t;
}

WeightSite site_of(const Layer& l) {
  for (const WeightSite& site : weight_sites(*l.node))
    if (site.input == l.input) return site;
  fail(ErrorKind::internal, "layer '", l.name, "' has no weight");
}

class Refiner {
 public:
  Refiner(const Networks& n, Device& device, const SampleSource& samples, const std::vector<size_t>& fitted,
          const std::map<std::string, SiteQuantization>& sites, const std::set<std::string>& skip, const Refinement& how)
      : networks_(n), device_(device), samples_(samples), fitted_(fitted), how_(how) {
    for (int i = 0; i < n.dense_team->workers(); ++i) products_.push_back(std::make_unique<Products>(device));
    std::map<std::string, Layer> originals;
    for (Layer& l : find_layers(*n.dense)) originals.emplace(l.name, l);
    for (Layer& l : find_layers(*n.base)) {
      const auto it = originals.find(l.name);
      const bool same = it != originals.end() && it->second.groups == l.groups && it->second.depth == l.depth && it->second.width == l.width &&
                        it->second.taps == l.taps;
      const auto site = sites.find(l.name);
      const bool left = l.input == 1 && site == sites.end() && same && is_filter_bank(*it->second.node);
      if (!same || skip.contains(l.name) || left) continue;
      work_.push_back({it->second, l, site == sites.end() ? std::nullopt : std::optional(site->second), {order_}});
    }
    if (how.zeros) chooses_zeros_ = small_enough_to_choose(find_layers(*n.dense));
  }

  FoundLayers run(const std::function<void(double)>& progress) {
    const size_t chunks = apart_ ? kStretchesApart : stretches_of(how_, work_of_a_run(), fitted_.size(), work_.size());
    size_t begin = 0;
    while (begin < work_.size()) {
      const size_t wanted = (work_.size() + chunks - 1) / chunks;
      size_t end = begin;
      int64_t elements = 0, rows = 0;  // moments, and rows that one sample may show
      for (; end < work_.size() && end - begin < wanted; ++end) {
        const Layer& l = work_[end].base;
        elements += moment_elements(l, order_);
        rows += 2 * l.groups * l.depth * rows_per_sample(l, fitted_.size());
        if (end > begin && (elements > kMostChunkElements || rows > kMostChunkElements)) break;
      }
      if (how_.sequential()) gather(begin, end);
      const auto settled = [&](int worker, int64_t i) {
        Work& w = work_[begin + static_cast<size_t>(i)];
        ZeroCosts done = settle(*products_[static_cast<size_t>(worker)], w);
        w.moments = {order_};
        return done;
      };
      in_order(static_cast<int64_t>(end - begin), workers(), settled, [&](int64_t i, ZeroCosts done) { take(begin + static_cast<size_t>(i), done); });
      begin = end;
      progress(static_cast<double>(begin) / static_cast<double>(work_.size()));
    }
    return std::move(found_);
  }

  // Each layer as if no other had been settled, with what its zeros cost where they are chosen.
  std::map<std::string, ZeroCosts> run_apart(const std::function<void(double)>& progress) {
    apart_ = true;
    run(progress);
    return std::move(costs_);
  }

 private:
  void take(size_t i, ZeroCosts& done) {
    const std::string& name = work_[i].base.name;
    if (!done.found.weight && !done.found.bias && !done.found.input) return;
    if (apart_) costs_[name] = std::move(done);
    else found_[name] = std::move(done.found);
  }

  int workers() const { return networks_.dense_team->workers(); }
  double work_of_a_run() const { return how_.sequential() ? work_of_run(networks_.dense_team->member(0), samples_, fitted_.at(0)) : 0; }

  // The rows of a stretch of layers in one network, of those that are asked for.
  std::vector<Rows> rows_of(Executor& executor, const Sample& sample, size_t begin, const std::vector<bool>& asked, double phase,
                            const Layer Work::*which) const {
    std::vector<Rows> out(asked.size());
    std::map<std::string, std::vector<size_t>> wanted;
    for (size_t i = 0; i < asked.size(); ++i)
      if (asked[i]) wanted[(work_[begin + i].*which).x->name].push_back(begin + i);
    const auto take = [&](const std::string& name, const Tensor& t) {
      const auto it = wanted.find(name);
      if (it == wanted.end()) return;
      for (const size_t i : it->second) {
        const Layer& l = work_[i].dense;
        const int64_t most = rows_per_sample(l, fitted_.size());
        if (out[i - begin].count < kMostRuns * most) append_rows(l, sample_rows(l, t, most, phase), kMostRuns * most, out[i - begin]);
      }
    };
    executor.set_tap([&](const Value& v, const Tensor& t) { take(v.name, t); }, [&](const Value& v) { return wanted.contains(v.name); });
    for (size_t k = 0; k < sample.inputs.size(); ++k) take(executor.graph().inputs[k]->name, sample.inputs[k]);
    executor.run_for_tap(pointers(sample));
    executor.set_tap(nullptr);
    return out;
  }

  // Runs both networks over the samples and sums the moments of a stretch of layers.
  void gather(size_t begin, size_t end) {
    std::vector<const Layer*> stretch;
    for (size_t i = begin; i < end; ++i) stretch.push_back(&work_[i].base);
    const bool alike = networks_.base == networks_.dense && found_.empty();
    std::vector<bool> differ = behind_others(*networks_.base, stretch);  // those whose own rows count
    for (size_t i = 0; i < differ.size(); ++i) differ[i] = !alike && !differ[i];
    const std::vector<bool> all(differ.size(), true);
    std::optional<Team> base;
    if (std::find(differ.begin(), differ.end(), true) != differ.end()) base.emplace(networks_.build(found_), device_, workers(), networks_.weights);
    struct Both {
      std::vector<Rows> x, d;
    };
    const auto rows = [&](int worker, int64_t f) {
      const Sample sample = samples_.read(fitted_[static_cast<size_t>(f)]);
      const double phase = (static_cast<double>(f) + 0.5) / static_cast<double>(fitted_.size());
      Both both;
      both.d = rows_of(networks_.dense_team->member(worker), sample, begin, all, phase, &Work::dense);
      both.x = base ? rows_of(base->member(worker), sample, begin, differ, phase, &Work::base) : std::vector<Rows>(end - begin);
      return both;
    };
    std::vector<Both> pending;
    const auto sum = [&](int worker, int64_t i) {
      std::vector<const Rows*> x, d;
      for (const Both& b : pending) x.push_back(&b.x[static_cast<size_t>(i)]), d.push_back(&b.d[static_cast<size_t>(i)]);
      Work& w = work_[begin + static_cast<size_t>(i)];
      RowPairs rows = paired(w.base, x, d);
      add(*products_[static_cast<size_t>(worker)], w, std::move(rows.own), rows.original);
      return true;
    };
    int64_t elements = 0;
    in_order(static_cast<int64_t>(fitted_.size()), workers(), rows, [&](int64_t f, Both both) {
      for (const std::vector<Rows>* of : {&both.x, &both.d})
        for (const Rows& r : *of) elements += static_cast<int64_t>(r.values.size());
      pending.push_back(std::move(both));
      if (elements < kMostPendingElements && f + 1 < static_cast<int64_t>(fitted_.size())) return;
      in_order(static_cast<int64_t>(end - begin), workers(), sum, [](int64_t, bool) {});
      pending.clear(), elements = 0;
    });
  }

  // Recurrent weights are fitted to the original's states on both sides: those of a network that is off lead further off.
  void add(Products& products, Work& w, Rows x, const Rows& d) const {
    if (d.count == 0) return;
    const bool states = w.base.source == RowSource::states;
    if (states) x = d;
    const Rows own = how_.sums == Sums::own ? x : Rows();
    if (w.site && !states) through_site(x, w.base, *w.site);
    add_rows(products, w.moments, w.base, *materialize(targets_of(w).node->inputs[targets_of(w).input]->constant), x,
             how_.sums == Sums::own ? own : d);
  }

  // Whose weight and bias say what the sums should be.
  const Layer& targets_of(const Work& w) const { return how_.sums == Sums::own ? w.base : w.dense; }

  ZeroCosts settle(Products& products, const Work& w) const {
    const Layer& l = w.base;
    const ConstTensor original = materialize(targets_of(w).node->inputs[targets_of(w).input]->constant),
                      kept = materialize(l.node->inputs[l.input]->constant);
    const bool fits = !w.moments.empty() && w.moments.rows >= 2 * std::min<int64_t>(l.depth, 64);
    const bool as_it_is = !fits && (!w.site || w.site->divisor.empty());  // there is nothing to be done but to round
    std::vector<Matrix> matrices;
    for (int64_t g = 0; g < l.groups && !as_it_is; ++g) {
      Matrix m;
      m.now = matrix_of(l, *kept, g);
      times_divisor(w, g, m.now);
      if (fits) pose(products, w, *original, g, m);
      matrices.push_back(std::move(m));
    }
    ZeroCosts done;
    FoundLayer& found = done.found;
    if (how_.weights == Weights::repair && fits) done.each = repair(products, l, matrices);
    const bool whole = how_.rounding != Rounding::none;
    if (whole) found.weight = rounded(products, w, *kept, matrices);
    else if (how_.weights == Weights::repair && fits) {
      Tensor t(kept->dtype(), kept->dims());
      for (int64_t g = 0; g < l.groups; ++g) put_matrix(l, matrices[static_cast<size_t>(g)].now, g, t);
      found.weight = std::make_shared<const Tensor>(std::move(t));
    }
    if (w.site && found.weight && whole) found.input = w.site;
    if (fits && how_.means == Means::match && l.source != RowSource::states) match_means(w, matrices, found);
    return done;
  }

  // What one matrix was, and where second moments are known its least-squares problem.
  void pose(Products& products, const Work& w, const Tensor& original, int64_t g, Matrix& m) const {
    m.original = matrix_of(targets_of(w), original, g);
    if (order_ == MomentOrder::first) return;
    m.keep.resize(m.now.size());
    for (size_t i = 0; i < m.now.size(); ++i) m.keep[i] = networks_.dense == networks_.base || m.now[i] != 0;
    std::vector<float> pull = m.now;
    if (how_.weights == Weights::repair) {
      pull = m.original;
      times_divisor(w, g, pull);
    }
    m.problem = fit_problem(products, w.base, w.moments, g, m.original, pull);
  }

  // Least squares on what is kept; returns what zeros cost where they were chosen.
  std::vector<float> repair(Products& products, const Layer& l, std::vector<Matrix>& matrices) const {
    std::vector<float> costs;
    if (how_.zeros && chooses_zeros_.contains(l.name)) {
      std::vector<const FitProblem*> problems;
      std::vector<std::vector<uint8_t>*> keep;
      int64_t zeros = 0, before = 0;
      for (Matrix& m : matrices) {
        problems.push_back(&*m.problem), keep.push_back(&m.keep);
        zeros += std::count(m.keep.begin(), m.keep.end(), uint8_t{0});
        before += std::count(m.original.begin(), m.original.end(), 0.0f);
      }
      const auto it = how_.zeros->find(l.name);
      const bool asked = it != how_.zeros->end();  // else zeros that pruning did not make stay where they are
      if (asked || zeros > before) costs = choose_zeros(problems, asked ? it->second : zeros, keep);
    }
    for (Matrix& m : matrices) solve_kept(products, *m.problem, m.keep, m.now);
    return costs;
  }

  // The weight as integers; the matrices become what they stand for. Nothing where it holds what is not finite.
  ConstTensor rounded(Products& products, const Work& w, const Tensor& like, std::vector<Matrix>& matrices) const {
    const Layer& l = w.base;
    Tensor real = matrices.empty() ? as_real(like) : Tensor(DType::f32, like.dims());
    for (size_t g = 0; g < matrices.size(); ++g) put_matrix(l, matrices[g].now, static_cast<int64_t>(g), real);
    const bool weighed =
        how_.codes.weights == WeightPrecision::int4 && how_.rounding == Rounding::by_error && !matrices.empty() && matrices[0].problem;
    const Tensor importance = weighed ? importance_of(l, like.dims(), matrices) : Tensor();
    const auto choice = choose_codes(real, site_of(l), how_.codes, weighed ? &importance : nullptr);
    if (!choice) return nullptr;
    for (size_t g = 0; g < matrices.size() && how_.rounding == Rounding::by_error; ++g) {
      Matrix& m = matrices[g];
      if (!m.problem) continue;
      const Steps steps = steps_of(l, like.dims(), *choice, static_cast<int64_t>(g));
      round_kept(products, *m.problem, m.keep, steps, m.now);
      if (how_.means == Means::keep) {  // from where only what varies counts: one element at a time would not get there past the means
        add_means(*m.problem, l, w.moments, static_cast<int64_t>(g), m.original);
        improve_kept(products, *m.problem, m.keep, steps, m.now);
      }
      put_matrix(l, m.now, static_cast<int64_t>(g), real);
    }
    auto codes = std::make_shared<const Tensor>(quantize_tensor(real, choice->dtype, choice->quant));
    if (how_.means == Means::match) {
      const Tensor stands_for = dequantize_tensor(*codes);
      for (size_t g = 0; g < matrices.size(); ++g) matrices[g].now = matrix_of(l, stands_for, static_cast<int64_t>(g));
    }
    return codes;
  }

  void match_means(const Work& w, const std::vector<Matrix>& matrices, FoundLayer& found) const {
    const Layer& l = w.base;
    auto bias = bias_of(targets_of(w));
    if (!bias) return;
    for (int64_t g = 0; g < l.groups; ++g) {
      const Matrix& m = matrices[static_cast<size_t>(g)];
      const std::vector<double> shift = bias_shift(l, w.moments, g, m.original, m.now);
      for (int64_t n = 0; n < l.width; ++n) (*bias)[bias_place(l, bias->size(), g, n)] += shift[static_cast<size_t>(n)];
    }
    found.bias = std::make_shared<const Tensor>(bias_tensor(l, *bias, l.node->output()->type.dtype));
  }

  const Networks& networks_;
  Device& device_;
  const SampleSource& samples_;
  const std::vector<size_t>& fitted_;
  const Refinement how_;
  const MomentOrder order_ = order_of(how_);
  std::vector<std::unique_ptr<Products>> products_;  // one a worker
  std::vector<Work> work_;
  std::set<std::string> chooses_zeros_;  // layers
  FoundLayers found_;
  bool apart_ = false;
  std::map<std::string, ZeroCosts> costs_;  // instead of found_, when apart
};

}  // namespace

FoundLayers refine(const Networks& networks, Device& device, const SampleSource& samples, const std::vector<size_t>& fitted,
                   const std::map<std::string, SiteQuantization>& sites, const std::set<std::string>& skip, const Refinement& how,
                   const std::function<void(double)>& progress) {
  return Refiner(networks, device, samples, fitted, sites, skip, how).run(progress);
}

std::map<std::string, ZeroCosts> zero_costs(const Networks& networks, Device& device, const SampleSource& samples, const std::vector<size_t>& fitted,
                                            const ZeroCounts& zeros, const std::function<void(double)>& progress) {
  const std::vector<Layer> layers = find_layers(*networks.dense);
  const std::set<std::string> chosen = small_enough_to_choose(layers);
  std::set<std::string> others;
  for (const Layer& l : layers)
    if (!zeros.contains(l.name) || !chosen.contains(l.name)) others.insert(l.name);
  Refinement how{Weights::repair, Rounding::none, Means::match};
  how.zeros = std::make_shared<const ZeroCounts>(zeros);
  Networks original = networks;
  original.base = original.dense;
  auto costs = Refiner(original, device, samples, fitted, {}, others, how).run_apart(progress);
  std::erase_if(costs, [](const auto& c) { return c.second.each.empty(); });
  return costs;
}

}  // namespace onecard
