#include "lib/flow/compression/integer_recipes.h"

#include <algorithm>
#include <cmath>

#include "lib/base/in_order.h"
#include "lib/runtime/weights.h"
#include "passes/filter_bank.h"

namespace onecard {

namespace {

constexpr int64_t kKeptElements = int64_t{1} << 18;        // of a site's values
constexpr int64_t kMostRuns = 4;                           // of a body in one sample that keep their full share of them
constexpr double kGoodEnough = 36, kGoodEnoughSmall = 30;  // dB: no layer need stay in float; half of a small network is too much for little
constexpr double kGain = 0.7;                              // dB that a layer in float must bring
constexpr size_t kSmall = 20;                              // layers: half of a network below may stay in float
constexpr size_t kProbes = 3;                              // samples on which single layers are judged
constexpr int kTriesInVain = 3;                            // one after the other
constexpr double kMostFloat = 0.1;                         // of the layers, and of the weights

const char* name_of(RangeRule rule) {
  constexpr const char* kNames[] = {"smallest to largest", "clipped", "entropy", "99.99 percentile", "least mean square"};
  return kNames[static_cast<size_t>(rule)];
}

// Layers that read one value along the same axis share its quantization.
struct Site {
  std::string value;
  std::vector<Layer> readers;
  SiteSeen seen;
};

class IntegerSearch {
 public:
  IntegerSearch(const Workbench& bench, const GraphPtr& base, std::vector<RecipeRecord>& tried) : bench_(bench), base_(base), tried_(tried) {}

  FoundIntegers quantize() {
    if (bench_.request.known) {
      check(*bench_.request.known);
      return settle(tried(bench_.request.known->recipe, bench_.request.known->sites, bench_.request.known->how, bench_.request.known->skip));
    }
    look_at_sites();
    const Refinement nearest{Weights::keep, Rounding::nearest, Means::keep};
    const RangeRule first = bench_.request.range.value_or(RangeRule::whole);
    Candidate best = tried(name_of(first), sites_by(first, ChannelRule::one_scale), nearest, {});
    const auto consider = [&](Candidate c) {
      if (c.decibels > best.decibels) best = std::move(c);
    };
    if (!bench_.request.range) {
      consider(tried(name_of(RangeRule::least_error), sites_by(RangeRule::least_error, ChannelRule::one_scale), nearest, {}));
      consider(tried("balanced", sites_by(RangeRule::whole, ChannelRule::balanced), nearest, {}));
      consider(tried("balanced, clipped", sites_by(RangeRule::least_error, ChannelRule::balanced), nearest, {}));
      const Candidate start = best;
      consider(tried(start.name + "; means matched", start.sites, {Weights::keep, Rounding::nearest, Means::match}, {}));
      consider(tried(start.name + "; rounded by error", start.sites, {Weights::keep, Rounding::by_error, Means::keep}, {}));
      consider(tried(start.name + "; rounded by error, means matched", start.sites, {Weights::keep, Rounding::by_error, Means::match}, {}));
      // What base itself lacks, no layer in float brings back.
      const double most = base_ == bench_.dense ? INFINITY : bench_.decibels(base_) - kGain;
      raise_worst(best, std::min(layers_.size() < kSmall ? kGoodEnoughSmall : kGoodEnough, most));
    }
    return settle(std::move(best));
  }

  // Weights of four bits, to the nearest of their steps or so that the sums suffer least.
  FoundIntegers round_weights() {
    Refinement how{Weights::keep, Rounding::nearest, Means::keep, {WeightPrecision::int4, bench_.request.weight_block, CodeRequest::Inputs::floats}};
    Candidate best = tried("nearest", {}, how, {});
    const auto consider = [&](const char* name) {
      Candidate c = tried(name, {}, how, {});
      if (c.decibels > best.decibels) best = std::move(c);
    };
    how.means = Means::match;
    consider("nearest, means matched");
    how.rounding = Rounding::by_error;
    consider("rounded by error, means matched");
    how.means = Means::keep;
    consider("rounded by error");
    return settle(std::move(best));
  }

 private:
  void look_at_sites() {
    for (const Layer& l : find_layers(*bench_.dense)) {
      if (l.source == RowSource::states || (l.input == 1 && is_filter_bank(*l.node)) || !l.x || l.x->constant) continue;
      layers_.push_back(l);
      const bool windowed = l.source == RowSource::window || l.source == RowSource::scattered;
      const auto same = [&](const Site& s) {
        const RowSource r = s.readers[0].source;
        return s.value == l.x->name && windowed == (r == RowSource::window || r == RowSource::scattered);
      };
      const auto it = std::find_if(sites_.begin(), sites_.end(), same);
      if (it != sites_.end()) it->readers.push_back(l);
      else sites_.push_back({l.x->name, {l}, {}});
    }
    std::map<std::string, std::vector<size_t>> wanted;
    for (size_t i = 0; i < sites_.size(); ++i) wanted[sites_[i].value].push_back(i);
    const auto look = [&](int worker, int64_t i) {
      const Sample sample = bench_.samples.read(static_cast<size_t>(i));
      std::vector<SiteSeen> seen(sites_.size());
      if (bench_.request.range && needs_histogram(*bench_.request.range))
        for (SiteSeen& s : seen) s.histogram.emplace();
      const auto take = [&](const std::string& name, const Tensor& t) {
        const auto it = wanted.find(name);
        if (it == wanted.end() || !t.has_value() || !is_float(t.dtype())) return;
        for (const size_t s : it->second)
          see(seen[s], sites_[s].readers[0], t,
              std::min(places_per_sample(sites_[s], t), kMostRuns * places_per_sample(sites_[s], t) - seen[s].kept()),
              (static_cast<double>(i) + 0.5) / static_cast<double>(bench_.samples.size()));
      };
      Executor& executor = bench_.dense_team.member(worker);
      executor.set_tap([&](const Value& v, const Tensor& t) { take(v.name, t); }, [&](const Value& v) { return wanted.contains(v.name); });
      for (size_t k = 0; k < sample.inputs.size(); ++k) take(bench_.dense->inputs[k]->name, sample.inputs[k]);
      executor.run(pointers(sample));
      executor.set_tap(nullptr);
      return seen;
    };
    in_order(static_cast<int64_t>(bench_.samples.size()), bench_.workers, look, [&](int64_t i, std::vector<SiteSeen> seen) {
      for (size_t s = 0; s < sites_.size(); ++s) merge(sites_[s].seen, std::move(seen[s]));
      bench_.progress("calibration", static_cast<double>(i + 1) / static_cast<double>(bench_.samples.size()));
    });
  }

  int64_t places_per_sample(const Site& s, const Tensor& t) const {
    const auto samples = static_cast<int64_t>(bench_.samples.size());
    const RowSource source = s.readers[0].source;
    const bool windowed = source == RowSource::window || source == RowSource::scattered;
    const int64_t channels = t.rank() < (windowed ? 2 : 1) ? 1 : std::max<int64_t>(1, windowed ? t.dims()[1] : t.dims().back());
    return std::max<int64_t>(1, kKeptElements / channels / samples);
  }

  // The quantization of every layer's input by one rule.
  std::map<std::string, SiteQuantization> sites_by(RangeRule range, ChannelRule channels) const {
    std::map<std::string, ConstTensor> weights;
    for (const Layer& l : find_layers(*base_)) weights[l.name] = l.node->inputs[l.input]->constant;
    std::map<std::string, SiteQuantization> chosen;
    for (const Site& s : sites_) {
      std::vector<const Layer*> readers;
      std::vector<ConstTensor> read;
      for (const Layer& l : s.readers)
        if (weights.contains(l.name)) readers.push_back(&l), read.push_back(materialize(weights[l.name]));
      if (readers.empty()) continue;
      if (const auto q = choose_quantization(s.seen, readers, read, range, channels))
        for (const Layer* l : readers) chosen[l->name] = *q;
    }
    return chosen;
  }

  struct Candidate {
    std::string name;
    std::map<std::string, SiteQuantization> sites;
    Refinement how;
    std::set<std::string> skip;
    FoundLayers found;
    double decibels = -INFINITY;
    size_t record = 0;
  };

  Candidate tried(std::string name, const std::map<std::string, SiteQuantization>& sites, Refinement how, std::set<std::string> skip) {
    Candidate c{std::move(name), sites, how, std::move(skip), {}, 0, tried_.size()};
    c.found = refine(bench_.networks(base_), bench_.device, bench_.samples, bench_.use.fitted, c.sites, c.skip, how,
                     [&](double share) { bench_.progress("rounding", share); });
    c.decibels = bench_.decibels(bench_.shipped(base_, c.found, c.skip));
    tried_.push_back(
        {bench_.request.activations == ActivationPrecision::int8 ? "int8" : "int4", c.name, c.decibels, static_cast<int64_t>(c.skip.size()), false});
    return c;
  }

  // What is known came from a file.
  void check(const Calibrated& known) const {
    for (const Layer& l : find_layers(*base_)) {
      const auto it = known.sites.find(l.name);
      if (it == known.sites.end() || it->second.divisor.empty()) continue;
      const auto channels = static_cast<size_t>(l.source == RowSource::last_axis ? l.depth : l.groups * l.depth / l.taps);
      require(it->second.divisor.size() == channels, ErrorKind::io, "the calibration cache is damaged: layer '", l.name, "' has ",
              it->second.divisor.size(), " divisors for ", channels, " channels");
    }
  }

  FoundIntegers settle(Candidate best) {
    tried_[best.record].chosen = true;
    return {std::move(best.found), {best.name, best.how, std::move(best.sites), std::move(best.skip)}};
  }

  // Layers that cost most when they alone are integers are left in float, one after the other, as long as that gains enough: of a network of
  // many layers a tenth of them and of the weights at most.
  void raise_worst(Candidate& best, double enough) {
    if (best.decibels >= enough) return;
    std::vector<std::pair<double, const Layer*>> costs;
    int64_t elements = 0;
    std::vector<const Layer*> probed;
    for (const Layer& l : layers_) {
      const auto found = best.found.find(l.name);
      elements += l.weight_elements();
      if (found != best.found.end() && found->second.input) probed.push_back(&l);
    }
    const auto alone = [&](int, int64_t i) {
      const Layer& l = *probed[static_cast<size_t>(i)];
      return bench_.decibels_beside_others(bench_.built(base_, {{l.name, best.found.at(l.name)}}), kProbes);
    };
    in_order(static_cast<int64_t>(probed.size()), bench_.workers, alone, [&](int64_t i, double db) {
      costs.emplace_back(db, probed[static_cast<size_t>(i)]);
      bench_.progress("layer by layer", static_cast<double>(costs.size()) / static_cast<double>(probed.size()));
    });
    bench_.weights->store.drop_unused();
    std::stable_sort(costs.begin(), costs.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    const bool small = layers_.size() < kSmall;
    // Of a small network half may be float, what was left alone counted.
    const size_t all = find_layers(*base_).size(), alone_already = all - std::min(all, probed.size());
    const size_t most = small ? std::max<size_t>(1, all / 2 - std::min(all / 2, alone_already))
                              : static_cast<size_t>(std::ceil(kMostFloat * static_cast<double>(layers_.size())));
    const double most_elements = (small ? 0.5 : kMostFloat) * static_cast<double>(elements);
    const std::string stem = best.name;
    Candidate now = best;
    int64_t given_up = 0;
    int in_vain = 0;
    for (size_t i = 0; i < costs.size() && now.skip.size() < most && now.decibels < enough && in_vain < kTriesInVain; ++i) {
      const Layer& l = *costs[i].second;
      if (static_cast<double>(given_up + l.weight_elements()) > most_elements) continue;
      Candidate next = now;
      for (const std::string& name : {l.name, l.name + ".r"})
        if (next.found.erase(name) > 0) next.skip.insert(name);
      next.decibels = bench_.decibels(bench_.shipped(base_, next.found, next.skip));
      const bool gains = next.decibels >= now.decibels + kGain;
      in_vain = gains ? 0 : in_vain + 1;
      if (!gains) continue;
      given_up += l.weight_elements();
      now = std::move(next);
    }
    if (now.skip.empty()) return;
    now.name = stem + "; " + std::to_string(now.skip.size()) + (now.skip.size() == 1 ? " layer" : " layers") + " in float";
    now.record = tried_.size();
    tried_.push_back({"int8", now.name, now.decibels, static_cast<int64_t>(now.skip.size()), false});
    // The others were settled beside the integers of these layers: once more beside their floats.
    Candidate again = tried(now.name + "; settled again", now.sites, now.how, now.skip);
    best = again.decibels > now.decibels ? std::move(again) : std::move(now);
  }

  const Workbench& bench_;
  const GraphPtr& base_;
  std::vector<RecipeRecord>& tried_;
  std::vector<Layer> layers_;
  std::vector<Site> sites_;
};

}  // namespace

FoundIntegers find_integers(const Workbench& bench, const GraphPtr& base, std::vector<RecipeRecord>& tried) {
  return IntegerSearch(bench, base, tried).quantize();
}

FoundIntegers find_four_bits(const Workbench& bench, const GraphPtr& base, std::vector<RecipeRecord>& tried) {
  return IntegerSearch(bench, base, tried).round_weights();
}

}  // namespace onecard
