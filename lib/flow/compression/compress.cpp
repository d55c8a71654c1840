#include "lib/flow/compression/compress.h"

#include <algorithm>
#include <cmath>

#include "lib/base/in_order.h"
#include "lib/runtime/weights.h"
#include "lib/flow/compression/input_norms.h"
#include "passes/filter_bank.h"
#include "passes/pipeline.h"

namespace onecard {

namespace {

constexpr int64_t kKeptElements = int64_t{1} << 18;  // of a site's values
constexpr int64_t kMostRuns = 4;                     // of a body in one sample that keep their full share of them
constexpr double kGoodEnough = 30;                   // dB: no layer need stay in float
constexpr double kGain = 0.7;                        // dB that a layer in float must bring
constexpr size_t kSmall = 20;                        // layers: half of a network below may stay in float
constexpr size_t kProbes = 3;                        // samples on which single layers are judged
constexpr int kTriesInVain = 3;                      // one after the other
constexpr double kMostlyProducts = 0.5;               // of the elements of all weights: by |w| |x| is then worth a try
constexpr double kMostFloat = 0.1;                   // of the layers, and of the weights

std::string name_of(const PruneRecipe& r) {
  std::string name = r.scope == PruneScope::tensor ? "tensor" : r.scope == PruneScope::global ? "global" : "lamp";
  if (r.norms) name += ", |w| |x|";
  if (r.repair) name += *r.repair == Weights::repair ? ", least squares" : ", means matched";
  return name;
}

const char* name_of(RangeRule rule) {
  constexpr const char* kNames[] = {"smallest to largest", "clipped", "entropy", "99.99 percentile", "least mean square"};
  return kNames[static_cast<size_t>(rule)];
}

FoundLayers merged(FoundLayers under, const FoundLayers& over) {
  for (const auto& [name, layer] : over) {
    FoundLayer& to = under[name];
    if (layer.weight) to.weight = layer.weight;
    if (layer.bias) to.bias = layer.bias;
    if (layer.input) to.input = layer.input;
  }
  return under;
}

// base with what was found and nothing else changed; values keep their names.
GraphPtr built(const GraphPtr& base, const FoundLayers& found, const CompressionRequest& request) {
  Graph graph = base->clone();
  PassContext context;
  context.found = found;
  context.activations = request.activations;
  PipelineOptions options;
  options.skip = {"fuse_quantize", "eliminate_quantize_pairs"};
  run_pipeline(graph, context, quantize_pipeline(), options);
  return std::make_shared<const Graph>(std::move(graph));
}

// base as the whole pipeline leaves it with what was found: what would be shipped.
GraphPtr shipped(const GraphPtr& base, const FoundLayers& found, const std::set<std::string>& skip, const CompressionRequest& request) {
  Graph graph = base->clone();
  PassContext context;
  context.found = found;
  context.skip_layers.assign(skip.begin(), skip.end());
  context.weights = request.weights == WeightPrecision::int4 ? WeightPrecision::int4 : WeightPrecision::int8;
  context.weight_block = request.weight_block;
  context.activations = request.activations;
  run_pipeline(graph, context, quantize_pipeline());
  return std::make_shared<const Graph>(std::move(graph));
}

// Layers that read one value along the same axis share its quantization.
struct Site {
  std::string value;
  std::vector<Layer> readers;
  SiteSeen seen;
};

class Compressor {
 public:
  Compressor(const CompressionRequest& request, const FloatPipeline& pipeline, Device& device, const SampleSource& samples,
             const std::function<void(const std::string&, double)>& progress)
      : request_(request),
        pipeline_(pipeline),
        device_(device),
        samples_(samples),
        progress_(progress),
        workers_(request.workers),
        weights_(std::make_shared<SharedWeights>(device)),
        dense_(pipeline_({})),
        base_(dense_),
        dense_team_(dense_, device, workers_, weights_),
        carry_(request.carry.pairs.empty() ? find_carry(dense_team_.member(0), samples) : request.carry),
        use_(divide_samples(samples.size(), carry_.pairs.empty() ? SampleOrder::apart : SampleOrder::streams)),
        judge_(dense_team_, samples, use_.held_out, carry_) {}

  Compression run() {
    if (request_.prune.amount > 0) prune();
    if (request_.activations == ActivationPrecision::int8) quantize();
    else if (request_.weights == WeightPrecision::int4) round_weights();
    return std::move(result_);
  }

 private:
  Networks networks(const GraphPtr& base) {
    return {dense_, base, &dense_team_, weights_, [base, this](const FoundLayers& found) { return built(base, found, request_); }};
  }
  double decibels(const GraphPtr& candidate, size_t most = SIZE_MAX) {
    const double db = judge_.decibels(Team(candidate, device_, workers_, weights_), most);
    weights_->store.drop_unused();
    return db;
  }

  struct PruneTrial {
    PruneRecipe recipe;
    GraphPtr graph;
    FoundLayers found;
    double decibels = -INFINITY;
    size_t record = 0;
  };

  GraphPtr with_zeros(const PruneRecipe& recipe, double amount) {
    PruneOptions options = request_.prune;
    options.amount = amount;
    options.scope = recipe.scope;
    options.norms = recipe.norms;
    return pipeline_(options);
  }

  // `pruned` has the recipe's zeros.
  PruneTrial tried(const PruneRecipe& recipe, const GraphPtr& pruned, const std::string& stage, const std::string& name) {
    PruneTrial t{recipe, nullptr, {}, 0, result_.tried.size()};
    if (recipe.repair) {
      const Refinement how{*recipe.repair, Rounding::none, Means::match};
      t.found = refine(networks(pruned), device_, samples_, use_.fitted, {}, {}, how, [&](double share) { progress_("repair", share); });
    }
    t.graph = built(pruned, t.found, request_);
    t.decibels = decibels(t.graph);
    result_.tried.push_back({stage, name, t.decibels, 0, false});
    return t;
  }

  void prune() {
    PruneTrial best;
    const auto consider = [&](PruneRecipe recipe) {
      const GraphPtr pruned = with_zeros(recipe, request_.prune.amount);
      for (const std::optional<Weights> repair : {std::optional<Weights>(), std::optional(Weights::keep), std::optional(Weights::repair)}) {
        if (repair && !request_.repair) continue;
        recipe.repair = repair;
        PruneTrial t = tried(recipe, pruned, "pruning", name_of(recipe));
        if (t.decibels > best.decibels || !best.graph) best = std::move(t);
      }
    };
    const bool by_magnitude = request_.score != PruneScore::wanda, has_products = share_of_products(*dense_) >= kMostlyProducts;
    for (const PruneScope scope : request_.scopes) {
      progress_("pruning", static_cast<double>(&scope - request_.scopes.data()) / static_cast<double>(request_.scopes.size()));
      if (by_magnitude) consider({scope, nullptr, {}});
      else consider({scope, norms(), {}});
    }
    if (request_.score == PruneScore::automatic && has_products)
      for (const PruneScope scope : std::set<PruneScope>{best.recipe.scope, request_.scopes[0]}) consider({scope, norms(), {}});
    result_.tried[best.record].chosen = true;
    result_.recipe = best.recipe;
    base_ = best.graph;
    look_at_survival(best);
    result_.found = std::move(best.found);
  }

  std::shared_ptr<const InputNorms> norms() {
    if (!norms_) norms_ = std::make_shared<const InputNorms>(input_norms(dense_team_, samples_, use_.fitted));
    return norms_;
  }

  void look_at_survival(const PruneTrial& best) {
    Survival s;
    s.amount = request_.prune.amount;
    s.decibels = best.decibels;
    s.samples = use_.held_out.size();
    s.survives = best.decibels >= kSurvives;
    if (!s.survives && request_.prune.pattern == PrunePattern::any)
      find_survived(s, [&](double amount) {
        progress_("how much it survives", amount);
        const std::string percent = std::to_string(static_cast<int>(std::lround(100 * amount))) + "% zeros, ";
        return tried(best.recipe, with_zeros(best.recipe, amount), "survival", percent + name_of(best.recipe)).decibels;
      });
    result_.survival = s;
  }

  void look_at_sites() {
    for (const Layer& l : find_layers(*dense_)) {
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
      const Sample sample = samples_.read(static_cast<size_t>(i));
      std::vector<SiteSeen> seen(sites_.size());
      if (request_.range && needs_histogram(*request_.range))
        for (SiteSeen& s : seen) s.histogram.emplace();
      const auto take = [&](const std::string& name, const Tensor& t) {
        const auto it = wanted.find(name);
        if (it == wanted.end() || !t.has_value() || !is_float(t.dtype())) return;
        for (const size_t s : it->second)
          see(seen[s], sites_[s].readers[0], t, std::min(places_per_sample(sites_[s], t), kMostRuns * places_per_sample(sites_[s], t) - seen[s].kept()),
              (static_cast<double>(i) + 0.5) / static_cast<double>(samples_.size()));
      };
      Executor& executor = dense_team_.member(worker);
      executor.set_tap([&](const Value& v, const Tensor& t) { take(v.name, t); }, [&](const Value& v) { return wanted.contains(v.name); });
      for (size_t k = 0; k < sample.inputs.size(); ++k) take(dense_->inputs[k]->name, sample.inputs[k]);
      executor.run(pointers(sample));
      executor.set_tap(nullptr);
      return seen;
    };
    in_order(static_cast<int64_t>(samples_.size()), workers_, look, [&](int64_t i, std::vector<SiteSeen> seen) {
      for (size_t s = 0; s < sites_.size(); ++s) merge(sites_[s].seen, std::move(seen[s]));
      progress_("calibration", static_cast<double>(i + 1) / static_cast<double>(samples_.size()));
    });
  }

  int64_t places_per_sample(const Site& s, const Tensor& t) const {
    const auto samples = static_cast<int64_t>(samples_.size());
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
    Candidate c{std::move(name), sites, how, std::move(skip), {}, 0, result_.tried.size()};
    c.found = refine(networks(base_), device_, samples_, use_.fitted, c.sites, c.skip, how, [&](double share) { progress_("rounding", share); });
    c.decibels = decibels(shipped(base_, c.found, c.skip, request_));
    result_.tried.push_back(
        {request_.activations == ActivationPrecision::int8 ? "int8" : "int4", c.name, c.decibels, static_cast<int64_t>(c.skip.size()), false});
    return c;
  }

  void quantize() {
    if (request_.known) {
      check(*request_.known);
      return settle(tried(request_.known->recipe, request_.known->sites, request_.known->how, request_.known->skip));
    }
    look_at_sites();
    const Refinement nearest{Weights::keep, Rounding::nearest, Means::keep};
    const RangeRule first = request_.range.value_or(RangeRule::whole);
    Candidate best = tried(name_of(first), sites_by(first, ChannelRule::one_scale), nearest, {});
    const auto consider = [&](Candidate c) {
      if (c.decibels > best.decibels) best = std::move(c);
    };
    if (!request_.range) {
      consider(tried(name_of(RangeRule::least_error), sites_by(RangeRule::least_error, ChannelRule::one_scale), nearest, {}));
      consider(tried("balanced", sites_by(RangeRule::whole, ChannelRule::balanced), nearest, {}));
      consider(tried("balanced, clipped", sites_by(RangeRule::least_error, ChannelRule::balanced), nearest, {}));
      const Candidate start = best;
      consider(tried(start.name + "; means matched", start.sites, {Weights::keep, Rounding::nearest, Means::match}, {}));
      consider(tried(start.name + "; rounded by error", start.sites, {Weights::keep, Rounding::by_error, Means::keep}, {}));
      consider(tried(start.name + "; rounded by error, means matched", start.sites, {Weights::keep, Rounding::by_error, Means::match}, {}));
      if (best.decibels < kGoodEnough) raise_worst(best);
    }
    settle(std::move(best));
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

  void settle(Candidate best) {
    result_.tried[best.record].chosen = true;
    result_.found = merged(std::move(result_.found), best.found);
    for (const std::string& name : best.skip) result_.skip_layers.push_back(name);
    result_.calibrated = {best.name, best.how, std::move(best.sites), std::move(best.skip)};
  }

  // Weights of four bits, to the nearest of their steps or so that the sums suffer least.
  void round_weights() {
    Refinement how{Weights::keep, Rounding::nearest, Means::keep, {WeightPrecision::int4, request_.weight_block, CodeRequest::Inputs::floats}};
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
    result_.tried[best.record].chosen = true;
    result_.found = merged(std::move(result_.found), best.found);
  }

  // Layers that cost most when they alone are integers are left in float, one after the other, as long as that gains enough: of a network of
  // many layers a tenth of them and of the weights at most.
  void raise_worst(Candidate& best) {
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
      return judge_.decibels(Team(built(base_, {{l.name, best.found.at(l.name)}}, request_), device_, 1, weights_), kProbes);
    };
    in_order(static_cast<int64_t>(probed.size()), workers_, alone, [&](int64_t i, double db) {
      costs.emplace_back(db, probed[static_cast<size_t>(i)]);
      progress_("layer by layer", static_cast<double>(costs.size()) / static_cast<double>(probed.size()));
    });
    weights_->store.drop_unused();
    std::stable_sort(costs.begin(), costs.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    const bool small = layers_.size() < kSmall;
    const size_t most = small ? layers_.size() / 2 : static_cast<size_t>(std::ceil(kMostFloat * static_cast<double>(layers_.size())));
    const double most_elements = (small ? 0.5 : kMostFloat) * static_cast<double>(elements);
    const std::string stem = best.name;
    Candidate now = best;
    int64_t given_up = 0;
    int in_vain = 0;
    for (size_t i = 0; i < costs.size() && now.skip.size() < most && now.decibels < kGoodEnough && in_vain < kTriesInVain; ++i) {
      const Layer& l = *costs[i].second;
      if (static_cast<double>(given_up + l.weight_elements()) > most_elements) continue;
      Candidate next = now;
      for (const std::string& name : {l.name, l.name + ".r"})
        if (next.found.erase(name) > 0) next.skip.insert(name);
      next.decibels = decibels(shipped(base_, next.found, next.skip, request_));
      const bool gains = next.decibels >= now.decibels + kGain;
      in_vain = gains ? 0 : in_vain + 1;
      if (!gains) continue;
      given_up += l.weight_elements();
      now = std::move(next);
    }
    if (now.skip.empty()) return;
    now.name = stem + "; " + std::to_string(now.skip.size()) + (now.skip.size() == 1 ? " layer" : " layers") + " in float";
    now.record = result_.tried.size();
    result_.tried.push_back({"int8", now.name, now.decibels, static_cast<int64_t>(now.skip.size()), false});
    // The others were settled beside the integers of these layers: once more beside their floats.
    Candidate again = tried(now.name + "; settled again", now.sites, now.how, now.skip);
    best = again.decibels > now.decibels ? std::move(again) : std::move(now);
  }

  const CompressionRequest& request_;
  const FloatPipeline& pipeline_;
  Device& device_;
  const SampleSource& samples_;
  const std::function<void(const std::string&, double)>& progress_;
  const int workers_;
  std::shared_ptr<SharedWeights> weights_;  // of all networks: what does not change is packed once
  GraphPtr dense_, base_;
  Team dense_team_;
  Carry carry_;
  SampleUse use_;
  Judge judge_;
  std::shared_ptr<const InputNorms> norms_;
  std::vector<Layer> layers_;
  std::vector<Site> sites_;
  Compression result_;
};

}  // namespace

Compression compress(const CompressionRequest& request, const FloatPipeline& pipeline, Device& device, const SampleSource& samples,
                     const std::function<void(const std::string& what, double share)>& progress) {
  return Compressor(request, pipeline, device, samples, progress).run();
}

}  // namespace onecard
