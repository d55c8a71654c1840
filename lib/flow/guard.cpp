#include "lib/flow/guard.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace onecard {

namespace {

constexpr size_t kMostProbed = 160;                       // groups of layers: with more layers, neighbours are raised together
constexpr size_t kProbes = 4;                             // samples on which single layers are judged
constexpr size_t kProbesInOrder = 16;                     // the same where states are carried: errors need time to build up
constexpr size_t kMostTakenBack = 16, kMissesInARow = 4;  // networks tried with one layer compressed again
constexpr double kSlackTrusted = 2;                       // errors of layers do not add up exactly

bool all_pass(const std::vector<ReportCheck>& checks) {
  return std::all_of(checks.begin(), checks.end(), [](const ReportCheck& c) { return c.pass; });
}

// Layers that are raised together, and how.
struct Step {
  std::vector<std::string> layers;
  Raise to = Raise::whole;
  double error = 0;
  int64_t bytes = 0;
  // Error per byte: what costs nothing comes first, what brings nothing last.
  double worth() const { return error <= 0 ? 0 : bytes <= 0 ? std::numeric_limits<double>::infinity() : error / static_cast<double>(bytes); }
};

class Guard {
 public:
  Guard(const GuardWork& work, const Gates& gates, const std::function<void(double)>& progress) : work_(work), gates_(gates), progress_(progress) {}

  GuardResult run() {
    const Gates asked = gates_;
    gates_ = tightened(asked);
    const GraphPtr compressed = work_.build({});
    start_ = work_.measure(compressed);
    record({}, compressed, start_);
    if (result_.prices[0].holds) ship({});
    else search(asked);
    std::stable_sort(result_.prices.begin(), result_.prices.end(),
                     [](const PriceRow& a, const PriceRow& b) { return a.raised.size() < b.raised.size(); });
    return std::move(result_);
  }

 private:
  void search(const Gates& asked) {
    if (!may_hold(asked)) return missed_by(result_.prices.back());
    if (result_.prices[0].holds) return ship({});
    const PriceRow all = result_.prices.back();
    probe();
    size_t low = 0, high = steps_.size();  // so many steps do not hold, and do
    while (low + 1 < high) {
      const size_t middle = low + (high - low) / 2;
      (tried(raised_by(first(middle))) ? high : low) = middle;
    }
    const Raised found = raised_by(with_some_taken_back(first(high)));
    ship(has_row(found) || tried(found) ? found : all.raised);
    const auto& prices = result_.prices;
    const auto shipped = std::find_if(prices.begin(), prices.end(), [](const PriceRow& r) { return r.shipped; });
    if (shipped->stored_bytes != all.stored_bytes) return;
    // Nothing would be left of what was asked for: the gates must be held by something that is compressed, if not with room to spare.
    const PriceRow* nearest = &prices[0];
    for (const PriceRow& r : prices) {
      if (r.stored_bytes == all.stored_bytes) continue;
      if (all_pass(judge(r.accuracy, asked))) return ship(r.raised);
      if (r.raised.size() >= nearest->raised.size()) nearest = &r;
    }
    result_.holds = false;
    gates_ = asked;
    missed_by(*nearest);
  }

  void missed_by(const PriceRow& row) {
    result_.missed_with = row.raised.size();
    result_.missed = judge(row.accuracy, gates_);
    std::erase_if(result_.missed, [](const ReportCheck& c) { return c.pass; });
  }

  bool has_row(const Raised& raised) const {
    return std::any_of(result_.prices.begin(), result_.prices.end(), [&](const PriceRow& r) { return r.raised == raised && r.holds; });
  }

  // Whether the gates hold with everything raised. Where only the tightened gates are missed the asked ones count.
  bool may_hold(const Gates& asked) {
    Raised all;
    for (const std::string& layer : work_.layers) all[layer] = Raise::whole;
    tried(all);
    if (result_.prices.back().holds) return true;
    gates_ = asked;
    for (PriceRow& r : result_.prices) r.holds = all_pass(judge(r.accuracy, gates_));
    return result_.prices.back().holds;
  }

  bool tried(const Raised& raised) {
    const GraphPtr graph = work_.build(raised);
    record(raised, graph, work_.measure(graph));
    return result_.prices.back().holds;
  }

  void record(const Raised& raised, const GraphPtr& graph, const Measured& m) {
    const bool holds = all_pass(judge(m.accuracy, gates_));
    result_.prices.push_back({raised, work_.stored_bytes(graph), m.seconds, m.accuracy, holds, false});
    constexpr double kRunsExpected = 12;
    progress_(std::min(1.0, 0.5 + static_cast<double>(result_.prices.size()) / (2 * kRunsExpected)));
  }

  void ship(const Raised& raised) {
    for (PriceRow& row : result_.prices) row.shipped = row.raised == raised;
    result_.raised = raised;
    result_.holds = true;
  }

  // The samples on which the outputs that miss are worst.
  std::vector<size_t> probe_places() const {
    std::vector<size_t> places(start_.relative_error.size());
    for (size_t i = 0; i < places.size(); ++i) places[i] = i;
    if (!work_.in_order)
      std::stable_sort(places.begin(), places.end(),
                       [&](size_t a, size_t b) { return error_of(start_.relative_error[a]) > error_of(start_.relative_error[b]); });
    places.resize(std::min(places.size(), work_.in_order ? kProbesInOrder : kProbes));
    return places;
  }

  // Summed over the outputs that miss at the start, or over all when none of them alone does.
  double error_of(const std::vector<double>& per_output) const {
    double missing = 0, all = 0;
    for (size_t o = 0; o < per_output.size(); ++o) {
      DiffResult one;
      one.outputs = {start_.accuracy.outputs[o]};
      Gates of_tensors = gates_;
      of_tensors.max_drop_percent.reset();
      all += per_output[o];
      if (!all_pass(judge(one, of_tensors))) missing += per_output[o];
    }
    return missing > 0 ? missing : all;
  }

  double error_of(const Measured& m) const {
    double sum = 0;
    for (const auto& sample : m.relative_error) sum += error_of(sample);
    return sum / static_cast<double>(std::max<size_t>(1, m.relative_error.size()));
  }

  // Each group of layers alone compressed, and alone in every way between.
  void probe() {
    const std::vector<size_t> places = probe_places();
    const size_t size = (work_.layers.size() + kMostProbed - 1) / kMostProbed;
    const PriceRow& all = result_.prices.back();
    const double least = error_of(work_.measure_some(work_.build(all.raised), places));
    for (size_t begin = 0; begin < work_.layers.size(); begin += size) {
      const auto from = work_.layers.begin() + static_cast<std::ptrdiff_t>(begin);
      const std::vector<std::string> group(from, from + static_cast<std::ptrdiff_t>(std::min(size, work_.layers.size() - begin)));
      add_steps(group, all, least, places);
      progress_(0.5 * static_cast<double>(begin + group.size()) / static_cast<double>(work_.layers.size()));
    }
    std::stable_sort(steps_.begin(), steps_.end(), [](const Step& a, const Step& b) { return a.worth() > b.worth(); });
    for (const Step& s : steps_) result_.layers.push_back({s.layers, s.to, s.error, s.bytes});
  }

  void add_steps(const std::vector<std::string>& group, const PriceRow& all, double least, const std::vector<size_t>& places) {
    struct Price {
      double error;
      int64_t bytes;
    };
    std::vector<Price> prices;  // compressed, then every way
    for (size_t way = 0; way < work_.ways.size(); ++way) {
      Raised raised = all.raised;
      for (const std::string& layer : group) {
        if (way == 0) raised.erase(layer);
        else raised[layer] = work_.ways[way - 1];
      }
      const GraphPtr graph = work_.build(raised);
      prices.push_back({error_of(work_.measure_some(graph, places)), work_.stored_bytes(graph)});
    }
    prices.push_back({least, all.stored_bytes});
    std::vector<Step> steps;
    for (size_t way = 0; way < work_.ways.size(); ++way) {
      Step step{group, work_.ways[way], prices[way].error - prices[way + 1].error, prices[way + 1].bytes - prices[way].bytes};
      if (step.error == 0 && step.bytes == 0) continue;  // nothing was compressed here
      // A step that is worth more than the one before it is never taken without that: the two are one.
      while (!steps.empty() && step.worth() >= steps.back().worth()) {
        step.error += steps.back().error;
        step.bytes += steps.back().bytes;
        steps.pop_back();
      }
      steps.push_back(std::move(step));
    }
    steps_.insert(steps_.end(), steps.begin(), steps.end());
  }

  using Taken = std::vector<bool>;  // per step

  Taken first(size_t count) const {
    Taken taken(steps_.size(), false);
    std::fill_n(taken.begin(), count, true);
    return taken;
  }

  Raised raised_by(const Taken& taken) const {
    Raised raised;
    for (size_t i = 0; i < steps_.size(); ++i)
      for (const std::string& layer : taken[i] ? steps_[i].layers : std::vector<std::string>{}) {
        const auto [it, fresh] = raised.emplace(layer, steps_[i].to);
        it->second = std::max(it->second, steps_[i].to);
      }
    return raised;
  }

  // How much more relative error the gates allow than this network, which holds them, has; infinite where they do not speak of it.
  double slack_of(const Raised& raised) const {
    double slack = std::numeric_limits<double>::infinity();
    for (const PriceRow& row : result_.prices) {
      if (row.raised != raised) continue;
      for (const Difference& d : row.accuracy.outputs) {
        // An error of relative power e that is not along the signal leaves a cosine of 1 / sqrt(1 + e).
        if (gates_.min_sqnr_db) slack = std::min(slack, std::pow(10, -*gates_.min_sqnr_db / 10) - std::pow(10, -d.worst.sqnr_db / 10));
        if (gates_.min_cosine) slack = std::min(slack, 2 * (d.worst.cosine - *gates_.min_cosine));
      }
    }
    return slack;
  }

  // These steps hold, and without the last of them they do not. Others among them that cost many bytes are undone where the gates hold without them.
  Taken with_some_taken_back(Taken taken) {
    std::vector<size_t> order;
    for (size_t i = 0; i < taken.size(); ++i)
      if (taken[i] && steps_[i].bytes > 0) order.push_back(i);
    if (order.size() < 2) return taken;
    order.pop_back();
    const double slack = kSlackTrusted * slack_of(raised_by(taken));
    std::erase_if(order, [&](size_t i) { return steps_[i].error > slack; });
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return steps_[a].bytes > steps_[b].bytes; });
    order.resize(std::min(order.size(), kMostTakenBack));
    size_t misses = 0;
    for (const size_t i : order) {
      Taken fewer = taken;
      fewer[i] = false;
      const Raised raised = raised_by(fewer);
      if (raised == raised_by(taken)) continue;
      if (tried(raised)) taken = fewer, misses = 0;
      else if (++misses == kMissesInARow) break;
    }
    return taken;
  }

  const GuardWork& work_;
  Gates gates_;
  const std::function<void(double)>& progress_;
  Measured start_;
  std::vector<Step> steps_;
  GuardResult result_;
};

}  // namespace

Gates tightened(const Gates& gates) {
  constexpr double kShare = 0.01, kDecibels = 0.05;
  Gates g = gates;
  if (g.min_cosine) *g.min_cosine += kShare * (1 - *g.min_cosine);
  if (g.min_sqnr_db) *g.min_sqnr_db += kDecibels;
  return g;
}

GuardResult guard(const GuardWork& work, const Gates& gates, const std::function<void(double)>& progress) {
  return Guard(work, gates, progress).run();
}

}  // namespace onecard
