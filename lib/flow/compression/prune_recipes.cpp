#include "lib/flow/compression/prune_recipes.h"

#include <algorithm>
#include <cmath>

#include "lib/base/in_order.h"
#include "lib/flow/compression/input_norms.h"
#include "lib/flow/compression/work.h"
#include "lib/flow/compression/zero_allocation.h"
#include "lib/runtime/weights.h"

namespace onecard {

namespace {

constexpr double kMostlyProducts = 0.5;  // of the elements of all weights: by |w| |x| is then worth a try
constexpr double kMostRepair = 15;       // with few held-out samples, of the dB that it brings beyond what the zeros leave no more count
constexpr double kBelieved = 0.9;        // and of the others this share: of allocations that end alike the one that needs less repair wins
constexpr double kTableLoss = 0.5;       // dB that zeros in lookup tables may cost
constexpr float kDearest = 1e18f;        // finite when multiplied by a weight

std::string name_of(const PruneRecipe& r) {
  std::string name = r.scope == PruneScope::tensor ? "tensor" : r.scope == PruneScope::global ? "global" : "lamp";
  if (r.norms) name += ", |w| |x|";
  if (r.costs) name += ", by what zeros cost in each weight";
  if (r.tables == PruneTables::prune) name += ", lookup tables too";
  if (r.repair) name += *r.repair == Weights::repair ? ", least squares" : ", means matched";
  if (r.zeros) name += r.zeros->empty() ? " on zeros chosen by it" : " on zeros chosen by it, by what they cost the answers";
  return name;
}

class PruneSearch {
 public:
  PruneSearch(const Workbench& bench, std::vector<RecipeRecord>& tried) : bench_(bench), tried_(tried) {}

  FoundPruning run() {
    PruneTrial best;
    const auto consider = [&](PruneRecipe recipe) {
      const FloatNetwork pruned = with_zeros(recipe, bench_.request.prune.amount);
      names_ = pruned.pruned.each;
      tables_left_ = pruned.pruned.tables_left;
      double unrepaired = -INFINITY;
      for (const std::optional<Weights> repair : {std::optional<Weights>(), std::optional(Weights::keep), std::optional(Weights::repair)}) {
        if (repair && !bench_.request.repair) continue;
        recipe.repair = repair;
        PruneTrial t = tried(recipe, pruned.graph, "pruning", name_of(recipe));
        if (!repair) unrepaired = t.decibels;
        t.unrepaired = unrepaired;
        if (worth_of(t) > worth_of(best) || !best.graph) best = std::move(t);
      }
    };
    const bool by_magnitude = bench_.request.score != PruneScore::wanda, has_products = share_of_products(*bench_.dense) >= kMostlyProducts;
    for (const PruneScope scope : bench_.request.scopes) {
      bench_.progress("pruning", static_cast<double>(&scope - bench_.request.scopes.data()) / static_cast<double>(bench_.request.scopes.size()));
      consider({scope, by_magnitude ? nullptr : norms()});
    }
    if (bench_.request.score == PruneScore::automatic && has_products)
      for (const PruneScope scope : std::set<PruneScope>{best.recipe.scope, bench_.request.scopes[0]}) consider({scope, norms()});
    if (std::count(bench_.request.scopes.begin(), bench_.request.scopes.end(), PruneScope::global) > 0)
      if (auto costs = costs_beside(best.recipe)) {
        PruneRecipe recipe{PruneScope::global, best.recipe.norms};
        recipe.costs = std::move(costs);
        consider(recipe);
      }
    consider_other_zeros(best);
    consider_tables(best);
    tried_[best.record].chosen = true;
    FoundPruning found;
    found.recipe = best.recipe;
    found.survival = look_at_survival(best);
    found.graph = best.graph;
    found.found = std::move(best.found);
    return found;
  }

 private:
  struct PruneTrial {
    PruneRecipe recipe;
    GraphPtr graph;
    FoundLayers found;
    double decibels = -INFINITY, unrepaired = -INFINITY;
    size_t record = 0;
  };

  FloatNetwork with_zeros(const PruneRecipe& recipe, double amount) {
    PruneOptions options = bench_.request.prune;
    options.amount = amount;
    options.scope = recipe.scope;
    options.norms = recipe.norms;
    options.tables = recipe.tables;
    options.costs = recipe.costs;
    return bench_.pipeline(options);
  }

  // `pruned` has the recipe's zeros.
  PruneTrial tried(const PruneRecipe& recipe, const GraphPtr& pruned, const std::string& stage, const std::string& name) {
    PruneTrial t{recipe, nullptr, {}, 0, -INFINITY, tried_.size()};
    if (recipe.repair) {
      Refinement how{*recipe.repair, Rounding::none, Means::match};
      how.zeros = recipe.zeros;
      t.found = refine(bench_.networks(pruned), bench_.device, bench_.samples, bench_.use.fitted, {}, {}, how,
                       [&](double share) { bench_.progress("repair", share); });
    }
    t.graph = bench_.built(pruned, t.found);
    t.decibels = bench_.decibels(t.graph);
    tried_.push_back({stage, name, t.decibels, 0, false});
    return t;
  }

  // What zeros in each weight alone cost, for each unit of what was dropped there: so much dearer is the next one. Where nothing was dropped, for it
  // is zeros already, the next one is as dear as can be. Null where these runs would take too long.
  std::shared_ptr<const PruneCosts> costs_beside(const PruneRecipe& recipe) {
    const auto count = static_cast<double>(names_.size());
    const double work = work_of_run(bench_.dense_team.member(0), bench_.samples, bench_.use.held_out.at(0)) * count;
    const size_t samples = samples_to_probe(work);
    if (names_.size() < 2 || samples == 0) return nullptr;
    auto costs = std::make_shared<PruneCosts>();
    const auto alone = [&](int, int64_t i) {
      PruneOptions options = bench_.request.prune;
      options.norms = recipe.norms;
      options.alone = names_[static_cast<size_t>(i)].name;
      const FloatNetwork network = bench_.pipeline(options);
      const double dropped = network.pruned.each.empty() ? 0 : network.pruned.each[0].dropped;
      const double error = bench_.error_beside_others(network.graph, samples);
      return dropped > 0 ? static_cast<float>(std::sqrt(error / dropped)) : kDearest;
    };
    in_order(static_cast<int64_t>(names_.size()), bench_.workers, alone, [&](int64_t i, float cost) {
      (*costs)[names_[static_cast<size_t>(i)].name] = cost;
      bench_.weights->store.drop_unused();
      bench_.progress("weight by weight", static_cast<double>(i + 1) / count);
    });
    return costs;
  }

  // What a trial is compared by.
  double worth_of(const PruneTrial& t) const {
    if (bench_.use.held_out.size() >= kFewHeldOut || !std::isfinite(t.unrepaired)) return t.decibels;
    return t.unrepaired + kBelieved * std::min(t.decibels - t.unrepaired, kMostRepair);
  }

  // The same number of zeros at other places: of each layer those that cost its sums least, and of the layers those that cost the answers least.
  void consider_other_zeros(PruneTrial& best) {
    if (!bench_.request.repair || bench_.request.score != PruneScore::automatic || bench_.request.prune.pattern != PrunePattern::any) return;
    PruneRecipe recipe = best.recipe;
    recipe.repair = Weights::repair;
    const GraphPtr pruned = with_zeros(recipe, bench_.request.prune.amount).graph;
    std::vector<std::shared_ptr<const ZeroCounts>> ways{std::make_shared<const ZeroCounts>()};
    if (bench_.request.scopes.size() > 1) {
      const GraphPtr each_pruned = with_zeros({PruneScope::tensor, nullptr}, bench_.request.prune.amount).graph;
      ways.push_back(allocate_zeros(bench_, each_pruned, pruned));
    }
    for (const auto& zeros : ways) {
      if (!zeros) continue;
      recipe.zeros = zeros;
      PruneTrial t = tried(recipe, pruned, "pruning", name_of(recipe));
      if (t.decibels > best.decibels) best = std::move(t);
    }
  }

  // Tables that are only looked up take their share of the zeros where that costs next to nothing.
  void consider_tables(PruneTrial& best) {
    if (!bench_.request.prune.only.empty()) return;
    if (tables_left_ == 0) return;
    PruneRecipe recipe = best.recipe;
    recipe.tables = PruneTables::prune;
    PruneTrial t = tried(recipe, with_zeros(recipe, bench_.request.prune.amount).graph, "pruning", name_of(recipe));
    if (t.decibels >= best.decibels - kTableLoss) best = std::move(t);
  }

  std::shared_ptr<const InputNorms> norms() {
    if (!norms_) norms_ = std::make_shared<const InputNorms>(input_norms(bench_.dense_team, bench_.samples, bench_.use.fitted));
    return norms_;
  }

  Survival look_at_survival(const PruneTrial& best) {
    Survival s;
    s.amount = bench_.request.prune.amount;
    s.decibels = best.decibels;
    s.samples = bench_.use.held_out.size();
    s.survives = best.decibels >= kSurvives;
    if (!s.survives && bench_.request.prune.pattern == PrunePattern::any)
      find_survived(s, [&](double amount) {
        PruneRecipe recipe = best.recipe;
        if (recipe.zeros) recipe.zeros = std::make_shared<const ZeroCounts>();  // those counts were for all that was asked
        bench_.progress("how much it survives", amount);
        const std::string percent = std::to_string(static_cast<int>(std::lround(100 * amount))) + "% zeros, ";
        return tried(recipe, with_zeros(recipe, amount).graph, "survival", percent + name_of(recipe)).decibels;
      });
    return s;
  }

  const Workbench& bench_;
  std::vector<RecipeRecord>& tried_;
  std::shared_ptr<const InputNorms> norms_;
  int64_t tables_left_ = 0;          // as they were, by the last network
  std::vector<PrunedWeight> names_;  // of the weights that the last network lost something in
};

}  // namespace

FoundPruning find_pruning(const Workbench& bench, std::vector<RecipeRecord>& tried) { return PruneSearch(bench, tried).run(); }

}  // namespace onecard
