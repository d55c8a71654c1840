#include "passes/prunable.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "lib/base/glob.h"
#include "lib/ops/arithmetic.h"
#include "lib/ops/conv_transpose.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/matmul.h"
#include "passes/bodies.h"
#include "passes/filter_bank.h"
#include "passes/match.h"
#include "passes/weights.h"

namespace onecard {

namespace {

constexpr int kMostNesting = 64;
constexpr int64_t kNarrowestTable = 8;  // columns: fewer are coordinates, anchors and the like

// Where a node reads a weight, and the axis it sums over there.
struct Read {
  size_t input;
  std::optional<AxisView> depth;
};

bool is_weight(const Value* w) {
  return w && w->constant && !w->type.quant && w->type.container == Container::tensor && is_arithmetic_float(w->type.dtype) &&
         w->constant->rank() >= 2 && w->constant->elements() > 0;
}

std::optional<AxisView> conv_transpose_depth(int64_t groups, const Dims& dims) {
  if (groups < 1 || dims[0] % groups != 0) return std::nullopt;
  return AxisView{groups, dims[0] / groups, element_count(dims) / dims[0]};
}

bool is_table(const Node& node, const Gather& op) {
  const Value *table = node.input(0), *indices = node.input(1);
  if (!is_weight(table) || table->constant->rank() != 2 || !indices || indices->constant || checked_axis(op.axis, 2) != 0) return false;
  return table->constant->dims()[1] >= kNarrowestTable && !is_wave_table(*materialize(table->constant));
}

std::vector<Read> weights_read_by(const Node& node) {
  if (const auto* gather = node.as<Gather>()) return is_table(node, *gather) ? std::vector<Read>{{0, std::nullopt}} : std::vector<Read>{};
  if (is_recurrent(node)) {
    std::vector<Read> both;
    for (const size_t i : {size_t{1}, size_t{2}})
      if (is_weight(node.input(i))) both.push_back({i, axis_view(node.input(i)->constant->dims(), -1)});
    return both;
  }
  const Value* w = node.input(1);
  if (!is_weight(w)) return {};
  const Dims& dims = w->constant->dims();
  if (node.as<Conv>()) return {{1, axis_view(dims, 1)}};
  if (const auto* deconv = node.as<ConvTranspose>()) return {{1, conv_transpose_depth(deconv->group, dims)}};
  if (const auto* matmul = node.as<MatMul>()) return {{1, axis_view(dims, matmul->transpose_b == Transpose2::yes ? -1 : -2)}};
  return {};
}

// Whether any of the names fits any of the globs; `used` marks the globs that fit.
bool fits(const std::vector<std::string>& globs, const std::set<std::string>& names, std::vector<char>& used) {
  bool any = false;
  for (size_t g = 0; g < globs.size(); ++g)
    if (std::any_of(names.begin(), names.end(), [&](const std::string& n) { return matches_glob(globs[g], n); })) any = true, used[g] = 1;
  return any;
}

class Collector {
 public:
  explicit Collector(const PruneOptions& options) : options_(options), only_used_(options.only.size()), skip_used_(options.skip.size()) {}

  void add(const Graph& graph, int depth) {
    for (const Node& node : graph.nodes()) {
      const std::vector<Read> reads = weights_read_by(node);
      const bool bank = reads.size() == 1 && is_filter_bank(node);
      for (const Read& r : reads) add(node, r, bank, depth);
      if (depth == kMostNesting) continue;
      for (const GraphPtr& body : node.op->subgraphs()) add(*body, depth + 1);
    }
  }

  std::vector<Prunable> chosen(std::vector<std::string>& notes) {
    std::vector<Prunable> out;
    for (Found& f : found_) {
      const bool wanted = options_.only.empty() || fits(options_.only, f.names, only_used_), left = fits(options_.skip, f.names, skip_used_);
      if (!wanted || left || (!options_.alone.empty() && f.weight.name != options_.alone)) continue;
      if (f.bank) notes.push_back("not pruned, a filter bank: " + f.weight.name);
      else out.push_back(std::move(f.weight));
    }
    leave_tables(out, notes);
    check("--prune-only", options_.only, only_used_);
    check("--prune-skip", options_.skip, skip_used_);
    require(!out.empty() || (options_.only.empty() && options_.skip.empty()), ErrorKind::usage,
            "--prune-only and --prune-skip leave nothing to prune");
    for (Prunable& w : out)
      for (float& n : w.norms) n = std::sqrt(n);
    return out;
  }

  int64_t tables_left() const { return tables_left_; }

 private:
  void leave_tables(std::vector<Prunable>& weights, std::vector<std::string>& notes) {
    const auto is_table = [](const Prunable& w) { return w.table; };
    if (options_.tables == PruneTables::prune || !options_.only.empty() || !options_.alone.empty() ||
        std::all_of(weights.begin(), weights.end(), is_table))
      return;
    for (const Prunable& w : weights)
      if (w.table) notes.push_back("not pruned, a lookup table, whose zeros cost more than they save: " + w.name);
    tables_left_ = static_cast<int64_t>(std::erase_if(weights, is_table));
  }

  struct Found {
    Prunable weight;
    std::set<std::string> names;
    bool bank = false;
  };

  void add(const Node& node, const Read& r, bool bank, int depth) {
    const Value* w = node.inputs[r.input];
    const bool table = node.as<Gather>() != nullptr;
    const auto [it, fresh] = place_.emplace(w->constant.get(), found_.size());
    if (fresh) found_.push_back({{w->constant, w->name, r.depth, table, squares(node, r, depth)}, {}, bank});
    Found& f = found_[it->second];
    if (!fresh) combine(f.weight, r, table, squares(node, r, depth));
    f.bank |= bank;
    f.names.insert(w->name);
    f.names.insert(w->origin.begin(), w->origin.end());
    for (const Value* y : node.outputs) {
      f.names.insert(y->name);
      f.names.insert(y->origin.begin(), y->origin.end());
    }
  }

  // A table that is multiplied as well is a weight; what its readers do not agree on is not known.
  static void combine(Prunable& w, const Read& r, bool table, const std::vector<float>& squares) {
    if (table) return;
    const bool same =
        w.depth && r.depth && w.depth->outer == r.depth->outer && w.depth->extent == r.depth->extent && w.depth->inner == r.depth->inner;
    if (w.table) w.depth = r.depth, w.norms = squares;
    else if (!same) w.depth.reset(), w.norms.clear();
    else if (w.norms.size() != squares.size()) w.norms.clear();
    else
      for (size_t k = 0; k < squares.size(); ++k) w.norms[k] += squares[k];
    w.table = false;
  }

  // Squared norms of what a product of the main graph multiplies; a body's names are its own.
  std::vector<float> squares(const Node& node, const Read& r, int depth) const {
    if (!options_.norms || depth > 0 || !node.as<MatMul>() || !r.depth) return {};
    const auto it = options_.norms->find(node.input(0)->name);
    if (it == options_.norms->end() || static_cast<int64_t>(it->second.size()) != r.depth->extent) return {};
    std::vector<float> all = it->second;
    for (float& v : all) v *= v;
    return all;
  }

  void check(const char* flag, const std::vector<std::string>& globs, const std::vector<char>& used) const {
    for (size_t g = 0; g < globs.size(); ++g) {
      if (used[g]) continue;
      std::string some;
      int named = 0;
      for (const Found& f : found_)
        if (named < 3 && !f.bank && !f.weight.name.empty()) some += (named++ ? ", " : "; prunable are, for instance, ") + f.weight.name;
      fail(ErrorKind::usage, flag, " ", globs[g], ": no prunable weight, and no output of a layer with one, has such a name", some);
    }
  }

  const PruneOptions& options_;
  std::vector<Found> found_;
  std::map<const Tensor*, size_t> place_;  // looked up, never iterated
  std::vector<char> only_used_, skip_used_;
  int64_t tables_left_ = 0;
};

int64_t put_pruned(Graph& graph, const std::map<const Tensor*, ConstTensor>& made, int depth) {
  int64_t changes = 0;
  std::map<Value*, ConstTensor> values;
  std::vector<Value*> order;
  for (auto it = graph.nodes().begin(); it != graph.nodes().end();) {
    Node& node = *it++;
    for (const Read& r : weights_read_by(node)) {
      const auto found = made.find(node.inputs[r.input]->constant.get());
      if (found != made.end() && values.emplace(node.inputs[r.input], found->second).second) order.push_back(node.inputs[r.input]);
    }
    if (depth < kMostNesting && !node.op->subgraphs().empty())
      changes += change_bodies(graph, node, [&](Graph& body) { return put_pruned(body, made, depth + 1); });
  }
  for (Value* v : order) take_over(graph, v, graph.add_constant(graph.unique(v->name), values.at(v)));
  graph.erase_dead();
  return changes + static_cast<int64_t>(order.size());
}

}  // namespace

std::vector<Prunable> prunable_weights(const Graph& graph, const PruneOptions& options, std::vector<std::string>& notes, int64_t* tables_left) {
  Collector all(options);
  all.add(graph, 0);
  std::vector<Prunable> chosen = all.chosen(notes);
  if (tables_left) *tables_left = all.tables_left();
  return chosen;
}

void put_pruned(Graph& graph, const std::map<const Tensor*, ConstTensor>& made) { put_pruned(graph, made, 0); }

int64_t zeros_in(const Tensor& t) {
  int64_t zeros = 0;
  if (is_float(t.dtype()))
    visit_float(t.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      for (const T& v : t.data<T>()) zeros += static_cast<double>(v) == 0;
    });
  else
    for (int64_t i = 0; i < t.elements(); ++i) zeros += t.at(i) == 0;
  return zeros;
}

}  // namespace onecard
