#include "lib/flow/compression/integer_recipes.h"

#include <algorithm>
#include <cmath>

#include "lib/base/in_order.h"
#include "lib/flow/compression/refinement_work.h"
#include "lib/flow/compression/work.h"
#include "lib/runtime/weights.h"
#include "passes/filter_bank.h"

namespace onecard {

namespace {

constexpr int64_t kKeptElements = int64_t{1} << 18;        // of a site's values
constexpr int64_t kMostRuns = 4;                           // of a body in one sample that keep their full share of them
constexpr double kGoodEnough = 36, kGoodEnoughSmall = 30;  // dB: no layer need stay in float; half of a small network is too much for little
constexpr double kGain = 0.7;                              // dB that a layer in float must bring
constexpr double kDoubt = 1;                               // dB that what is fitted to few samples must bring
constexpr size_t kSmall = 20;                              // layers: half of a network below may stay in float
constexpr size_t kProbes = 3;                              // samples on which single layers are judged
constexpr int kTriesInVain = 3;                            // one after the other
constexpr double kMostFloat = 0.1;                         // of the layers, and of the weights

const char* name_of(RangeRule rule) {
  constexpr const char* kNames[] = {"smallest to largest", "clipped", "entropy", "99.99 percentile", "least mean square"};
  return kNames[static_cast<size_t>(rule)];
}

std::string name_of(const Refinement& how) {
  std::string name = how.rounding == Rounding::by_error ? "rounded by error" : "";
  if (how.means == Means::match) name += name.empty() ? "means matched" : ", means matched";
  return name + (how.sums == Sums::own ? ", to its own sums" : "");
}

// Layers that read one value along the same axis share its quantization.
struct Site {
  std::string value;
  std::vector<Layer> readers;
  SiteSeen seen;
};

enum class Banks : uint8_t { leave, quantize };

// What is promised most comes first: on a network on which each takes long, not all are tried.
constexpr struct {
  Rounding rounding;
  Means means;
  Sums sums;
} kRefinements[] = {{Rounding::nearest, Means::match, Sums::original},  {Rounding::by_error, Means::match, Sums::own},
                    {Rounding::by_error, Means::match, Sums::original}, {Rounding::nearest, Means::match, Sums::own},
                    {Rounding::by_error, Means::keep, Sums::own},       {Rounding::by_error, Means::keep, Sums::original}};
constexpr size_t kAlwaysTried = 2;
constexpr double kMostWork = 5e12;  // operations of all of them

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
    if (bench_.request.range) return settle(std::move(best));
    // What few samples said (where to clip, how to round, which means) must bring something: what judges has seen hardly any others.
    const double doubt = bench_.use.held_out.size() < kFewHeldOut ? kDoubt : 0;
    RangeRule range = first;
    ChannelRule channels = ChannelRule::one_scale;
    for (const auto& [r, c] : {std::pair(RangeRule::least_error, ChannelRule::one_scale), std::pair(RangeRule::whole, ChannelRule::balanced),
                               std::pair(RangeRule::least_error, ChannelRule::balanced)}) {
      Candidate next = tried(c == ChannelRule::one_scale ? name_of(r)
                             : r == RangeRule::whole     ? "balanced"
                                                         : "balanced, clipped",
                             sites_by(r, c), nearest, {});
      const double least = best.decibels + (r == RangeRule::least_error && range == RangeRule::whole ? doubt : 0);
      if (next.decibels > least) best = std::move(next), range = r, channels = c;
    }
    const Candidate start = best;
    const std::vector<Refinement> ways = affordable();
    every_way_is_affordable_ = ways.size() == std::size(kRefinements);
    for (const Refinement& how : ways) {
      Candidate fitted = tried(start.name + "; " + name_of(how), start.sites, how, {});
      if (fitted.decibels > std::max(best.decibels, start.decibels + doubt)) best = std::move(fitted);
    }
    // What base itself lacks, no layer in float brings back.
    const double most = base_ == bench_.dense ? INFINITY : bench_.decibels_of_all(base_) - kGain;
    raise_worst(best, most);
    if (best.decibels < kGoodEnough && !banks_.empty()) {
      Candidate others = others_than_banks(tried(best.name + ", filter banks too", sites_by(range, channels, Banks::quantize), best.how, {}), best);
      if (others.decibels >= best.decibels + kGain) best = std::move(others);
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
    const bool keeps_values = !bench_.request.range || *bench_.request.range == RangeRule::least_error;
    for (const Layer& l : find_layers(*bench_.dense)) {
      if (l.source == RowSource::states || !l.x || l.x->constant) continue;
      layers_.push_back(l);
      if (l.input == 1 && is_filter_bank(*l.node)) banks_.insert(l.name);
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
              keeps_values ? std::min(places_per_sample(sites_[s], t), kMostRuns * places_per_sample(sites_[s], t) - seen[s].kept()) : 0,
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
  std::map<std::string, SiteQuantization> sites_by(RangeRule range, ChannelRule channels, Banks banks = Banks::leave) const {
    std::map<std::string, ConstTensor> weights;
    for (const Layer& l : find_layers(*base_)) weights[l.name] = l.node->inputs[l.input]->constant;
    std::map<std::string, SiteQuantization> chosen;
    for (const Site& s : sites_) {
      std::vector<const Layer*> readers;
      std::vector<ConstTensor> read;
      for (const Layer& l : s.readers)
        if (weights.contains(l.name) && (banks == Banks::quantize || !banks_.contains(l.name)))
          readers.push_back(&l), read.push_back(materialize(weights[l.name]));
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
    RecipeRecord record{bench_.request.activations == ActivationPrecision::int8 ? "int8" : "int4", c.name};
    record.float_layers = static_cast<int64_t>(c.skip.size());
    if (bench_.judge) record.decibels = c.decibels = bench_.decibels_of_all(bench_.shipped(base_, c.found, c.skip));
    tried_.push_back(std::move(record));
    return c;
  }

  // The first of the refinements, as many as are worth their work.
  std::vector<Refinement> affordable() const {
    std::vector<Refinement> chosen;
    const double run = work_of_run(bench_.dense_team.member(0), bench_.samples, bench_.use.fitted.at(0));
    double work = 0;
    for (const auto& r : kRefinements) {
      Refinement how{Weights::keep, r.rounding, r.means};
      how.sums = r.sums;
      work += work_of_refinement(how, run, bench_.use.fitted.size(), layers_);
      if (chosen.size() >= kAlwaysTried && work > kMostWork) break;
      chosen.push_back(how);
    }
    return chosen;
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

  struct Cost {
    double decibels;  // when it alone is integers
    const Layer* layer;
  };
  // Of the layers that the candidate has as integers, the one that costs most first.
  std::vector<Cost> costs_of(const Candidate& c) const {
    std::vector<const Layer*> probed;
    for (const Layer& l : layers_)
      if (const auto found = c.found.find(l.name); found != c.found.end() && found->second.input) probed.push_back(&l);
    std::vector<Cost> costs;
    const auto alone = [&](int, int64_t i) {
      const Layer& l = *probed[static_cast<size_t>(i)];
      return bench_.decibels_beside_others(bench_.built(base_, {{l.name, c.found.at(l.name)}}), kProbes);
    };
    in_order(static_cast<int64_t>(probed.size()), bench_.workers, alone, [&](int64_t i, double db) {
      costs.push_back({db, probed[static_cast<size_t>(i)]});
      bench_.progress("layer by layer", static_cast<double>(costs.size()) / static_cast<double>(probed.size()));
    });
    bench_.weights->store.drop_unused();
    std::stable_sort(costs.begin(), costs.end(), [](const Cost& a, const Cost& b) { return a.decibels < b.decibels; });
    return costs;
  }

  // How many layers may stay in float, and of how many weights, beside those that were left alone.
  struct Budget {
    size_t layers = 0;
    double elements = 0;
    bool holds(const Candidate& c, double given_up, const Layer& l) const {
      return c.skip.size() < layers && given_up + static_cast<double>(l.weight_elements()) <= elements;
    }
  };
  static Candidate with_float(Candidate c, const Layer& l) {
    for (const std::string& name : {l.name, l.name + ".r"})
      if (c.found.erase(name) > 0) c.skip.insert(name);
    return c;
  }
  double decibels_of(const Candidate& c) const { return bench_.decibels_of_all(bench_.shipped(base_, c.found, c.skip)); }

  // The worst layers in float, as many as the budget holds, whether one alone would gain or not: of layers that cost alike none does.
  Candidate worst_together(Candidate c, const std::vector<Cost>& costs, const Budget& budget) const {
    double given_up = 0;
    for (const Cost& cost : costs) {
      if (!budget.holds(c, given_up, *cost.layer)) continue;
      given_up += static_cast<double>(cost.layer->weight_elements());
      c = with_float(std::move(c), *cost.layer);
    }
    c.decibels = decibels_of(c);
    return c;
  }

  Candidate recorded(Candidate c, const std::string& stem) {
    c.name = stem + "; " + std::to_string(c.skip.size()) + (c.skip.size() == 1 ? " layer" : " layers") + " in float";
    c.record = tried_.size();
    tried_.push_back({"int8", c.name, c.decibels, static_cast<int64_t>(c.skip.size()), false});
    return c;
  }

  // Layers that cost most when they alone are integers are left in float, one after the other, as long as that gains enough: of a network of
  // many layers a tenth of them and of the weights at most, of a small one half, what was left alone counted.
  void raise_worst(Candidate& best, double most_decibels) {
    const size_t eligible = layers_.size() - banks_.size(), all = find_layers(*base_).size();
    const bool small = eligible < kSmall;
    const double enough = std::min(small ? kGoodEnoughSmall : kGoodEnough, most_decibels);
    if (best.decibels >= enough) return;
    const std::vector<Cost> costs = costs_of(best);
    double elements = 0;
    for (const Layer& l : layers_) elements += banks_.contains(l.name) ? 0 : static_cast<double>(l.weight_elements());
    Budget budget{static_cast<size_t>(std::ceil(kMostFloat * static_cast<double>(eligible))), (small ? 0.5 : kMostFloat) * elements};
    if (small) budget.layers = all / 2 - std::min(all / 2, all - std::min(all, costs.size()));
    Candidate now = best;
    double given_up = 0;
    int in_vain = 0;
    for (size_t i = 0; i < costs.size() && now.skip.size() < budget.layers && now.decibels < enough && in_vain < kTriesInVain; ++i) {
      const Layer& l = *costs[i].layer;
      if (!budget.holds(now, given_up, l)) continue;
      Candidate next = with_float(now, l);
      next.decibels = decibels_of(next);
      const bool gains = next.decibels >= now.decibels + kGain;
      in_vain = gains ? 0 : in_vain + 1;
      if (!gains) continue;
      given_up += static_cast<double>(l.weight_elements());
      now = std::move(next);
    }
    std::optional<Candidate> together;
    if (now.decibels < enough && now.skip.size() + 1 < budget.layers) {
      Candidate all_at_once = worst_together(best, costs, budget);
      if (all_at_once.decibels >= now.decibels + gain_for(all_at_once, now)) now = std::move(all_at_once);
      else if (all_at_once.decibels >= now.decibels && every_way_is_affordable_) together = std::move(all_at_once);
    }
    const std::string stem = best.name;
    if (!now.skip.empty()) best = settled_again(std::move(now), stem);
    if (!together || best.decibels >= enough) return;
    // What they are worth may show only when the others are settled beside them.
    together = settled_again(std::move(*together), stem);
    if (together->decibels >= best.decibels + gain_for(*together, best)) best = std::move(*together);
  }

  // dB that a must bring beside b for its further layers in float.
  static double gain_for(const Candidate& a, const Candidate& b) {
    return kGain * (static_cast<double>(a.skip.size()) - static_cast<double>(b.skip.size()));
  }

  // The others were settled beside the integers of these layers: once more beside their floats.
  Candidate settled_again(Candidate c, const std::string& stem) {
    c = recorded(std::move(c), stem);
    Candidate again = tried(c.name + "; settled again", c.sites, c.how, c.skip);
    return again.decibels > c.decibels ? again : c;
  }

  // Filter banks stay in float for what their integers are feared to cost: where others cost more, these stay in float instead, as many layers and
  // weights as `left` leaves.
  Candidate others_than_banks(Candidate all_integers, const Candidate& left) {
    const std::vector<Cost> costs = costs_of(all_integers);
    Budget budget{left.skip.size(), 0};
    for (const Layer& l : layers_)
      if (banks_.contains(l.name) || left.skip.contains(l.name)) budget.elements += static_cast<double>(l.weight_elements());
    budget.layers += banks_.size();
    const std::string stem = all_integers.name;
    return recorded(worst_together(std::move(all_integers), costs, budget), stem);
  }

  const Workbench& bench_;
  const GraphPtr& base_;
  std::vector<RecipeRecord>& tried_;
  std::vector<Layer> layers_;
  bool every_way_is_affordable_ = false;  // then so is settling all layers once more
  std::set<std::string> banks_;           // those of them that are filter banks: integers as a recipe of its own
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
