// f(x: f32, w: f32) => f(cast(x), w as f16), or bf16, with casts where f32 is wanted again
//   context.floats names the type. Inputs and outputs of the graph, and of bodies, keep theirs. A node stays in f32 when a constant that it reads
//   holds a finite number beyond the type's largest, or would lose more than a hundredth of its norm (all of it, most often) to numbers too small for
//   the type; when context.magnitudes has seen more than the largest in a value that it reads or gives, or less than the smallest in one that is
//   divided by (or put under a root or a logarithm) or may be so small for its constant; when its op is not defined on the type; and when
//   context.skip_layers names it.
#include <cmath>
#include <limits>
#include <set>
#include <sstream>

#include "lib/ops/arithmetic.h"
#include "lib/ops/dynamic_quantize_linear.h"
#include "lib/ops/non_max_suppression.h"
#include "lib/ops/quantize.h"
#include "lib/ops/quantize_linear.h"
#include "lib/ops/resize.h"
#include "lib/ops/shape_ops.h"
#include "passes/match.h"

namespace onecard {

namespace {

constexpr int64_t kResidentBytes = 64 << 10;  // planning looks into constants up to this size
constexpr double kMostLost = 0.01;            // of a constant's norm, to underflow
constexpr size_t kNamed = 4;                  // layers that a note names; details name all

struct Limits {
  float largest, smallest;  // the largest number, and the smallest one of full precision
};
Limits limits_of(DType t) {
  if (t == DType::f16) return {65504.0f, 0x1p-14f};
  return {0x1.fep127f, std::numeric_limits<float>::min()};
}

// Rounds a constant when it is needed.
class RoundedSource : public TensorSource {
 public:
  RoundedSource(ConstTensor wide, DType to) : wide_(std::move(wide)), to_(to) {}
  void load(std::span<std::byte> into) const override {
    const Tensor narrow = convert(*materialize(wide_), to_);
    std::copy_n(narrow.raw(), into.size(), into.data());
  }
  std::string text() const override { return "rounded"; }

 private:
  ConstTensor wide_;
  DType to_;
};

ConstTensor rounded(const ConstTensor& t, DType to) {
  if (t->bytes() <= kResidentBytes) return std::make_shared<const Tensor>(convert(*materialize(t), to));
  return std::make_shared<const Tensor>(Tensor::deferred(TensorType(to, t->type().shape), std::make_shared<RoundedSource>(t, to)));
}

std::string number(float v) {
  std::ostringstream out;
  out << v;
  return out.str();
}

// Why the type cannot hold a constant; empty when it can.
struct Verdict {
  std::string why;
  bool lost = false;  // to underflow
};
Verdict not_held(const Tensor& t, DType to) {
  const Limits limits = limits_of(to);
  double norm = 0, lost = 0;
  float largest = 0;
  for (const float x : t.data<float>()) {
    const float size = std::abs(x);
    if (!std::isfinite(size)) continue;
    largest = std::max(largest, size);
    norm += static_cast<double>(size) * size;
    if (size >= limits.smallest) continue;
    const double error = size - (to == DType::f16 ? static_cast<float>(Half(size)) : static_cast<float>(BFloat16(size)));
    lost += error * error;
  }
  if (largest > limits.largest) return {number(largest) + ", beyond " + number(limits.largest), false};
  if (lost > kMostLost * kMostLost * norm) return {"at most " + number(largest) + ", lost to underflow", true};
  return {};
}

bool is_wide(const Value* v) { return v && v->type.container == Container::tensor && v->type.dtype == DType::f32 && !v->type.quant; }

// Sizes, places and steps that are f32 beside data of any type.
bool is_fixed(const Node& node, size_t input) {
  if (node.as<Resize>()) return input > 0;
  return node.as<Quantize>() || node.as<Dequantize>() || node.as<QuantizeLinear>() || node.as<DequantizeLinear>() ||
         node.as<DynamicQuantizeLinear>() || node.as<NonMaxSuppression>();
}

// Whether the result grows without bound, or its slope does, where this input goes to 0.
bool is_divided_by(const Node& node, size_t input) {
  if (const auto* unary = node.as<Unary>()) return unary->f.fn == Fn::log || unary->f.fn == Fn::sqrt || unary->f.fn == Fn::reciprocal;
  const auto* binary = node.as<Binary>();
  if (!binary || (binary->fn != BinaryFn::div && binary->fn != BinaryFn::pow)) return false;
  if (binary->fn == BinaryFn::div) return input == 1;
  const auto exponent = scalar_of(node.inputs[1]);
  return input == 0 && (!exponent || *exponent < 1);
}

class Rounder {
 public:
  Rounder(Graph& graph, PassContext& context) : graph_(graph), context_(context), to_(*context.floats), limits_(limits_of(to_)) {}

  int64_t run() {
    int64_t changes = 0, layers = 0;
    std::vector<std::string> kept;
    for (auto it = graph_.nodes().begin(); it != graph_.nodes().end();) {
      Node& node = *it++;
      const bool reads = std::any_of(node.inputs.begin(), node.inputs.end(), is_wide),
                 gives = std::any_of(node.outputs.begin(), node.outputs.end(), is_wide);
      if (!reads && !gives) continue;
      if (is_fixed(node, 0) || is_skipped(node)) {
        stay(node);
        continue;
      }
      ++layers;
      if (const std::string why = why_wide(node); !why.empty()) {
        kept.push_back("'" + node.output()->name + "' " + why);
        stay(node);
      } else if (narrow(node)) {
        ++changes;
      } else {
        stay(node);
      }
    }
    hand_over();
    graph_.erase_dead();
    report(kept, layers);
    return changes;
  }

 private:
  bool is_skipped(const Node& node) const {
    const auto& names = context_.skip_layers;
    return !node.outputs.empty() && std::find(names.begin(), names.end(), node.output()->name) != names.end();
  }

  // Why the node stays in f32; empty when it need not.
  std::string why_wide(const Node& node) {
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const Value* v = node.inputs[i];
      if (!is_wide(v) || is_fixed(node, i)) continue;
      std::string why = v->constant ? of_constant(node, *v) : of_value(*v, "reads");
      if (why.empty() && !v->constant && is_divided_by(node, i)) {
        why = too_small(*v, "reads");
        if (tiny_.contains(v) && node.as<Unary>() && node.as<Unary>()->f.fn == Fn::sqrt) tiny_.insert(node.output());
      }
      if (!why.empty()) return why;
    }
    for (const Value* v : node.outputs) {
      if (!is_wide(v)) continue;
      std::string why = of_value(*v, "gives");
      for (const Node* user : v->users)
        for (size_t i = 0; why.empty() && i < user->inputs.size(); ++i)
          if (user->inputs[i] == v && is_divided_by(*user, i)) why = too_small(*v, "gives");
      if (!why.empty()) return why;
    }
    return "";
  }

  std::string of_constant(const Node& node, const Value& v) {
    const auto [it, fresh] = verdicts_.emplace(v.constant.get(), Verdict());
    if (fresh) it->second = not_held(*materialize(v.constant), to_);
    if (it->second.why.empty()) return "";
    if (it->second.lost)
      for (const Value* y : node.outputs) tiny_.insert(y);
    return "reads '" + v.name + "': " + it->second.why;
  }
  std::string of_value(const Value& v, const char* verb) const {
    const auto it = context_.magnitudes.find(v.name);
    if (it == context_.magnitudes.end() || it->second.largest <= limits_.largest) return "";
    return std::string(verb) + " " + number(it->second.largest) + ", beyond " + number(limits_.largest);
  }
  std::string too_small(const Value& v, const char* verb) const {
    if (tiny_.contains(&v)) return std::string(verb) + " '" + v.name + "', which may underflow before it is divided by";
    const auto it = context_.magnitudes.find(v.name);
    if (it == context_.magnitudes.end() || it->second.smallest >= limits_.smallest) return "";
    return std::string(verb) + " " + number(it->second.smallest) + ", which underflows before it is divided by";
  }

  Value* cast(Node& at, Value* v, DType to) {
    Cast op;
    op.to = to;
    return graph_.add_before(at, std::make_shared<const Cast>(op), {v}, v->name + "." + std::string(info(to).name)).output();
  }
  Value* narrow_twin(Node& at, Value* v) {
    Value*& twin = narrow_[v];
    if (twin) return twin;
    if (!v->constant) return twin = cast(at, v, to_);
    twin = graph_.add_constant(graph_.unique(v->name), rounded(v->constant, to_));
    renamed_.emplace_back(v, twin);
    return twin;
  }
  // v itself, or where its producer has become narrow, its result cast back.
  Value* wide_twin(Node& at, Value* v) {
    const auto it = made_.find(v);
    if (it == made_.end()) return v;
    Value*& twin = wide_[v];
    if (!twin) twin = cast(at, it->second, DType::f32);
    return twin;
  }

  // Puts the node on narrow inputs; false, and nothing done, where its op is not defined so.
  bool narrow(Node& node) {
    if (!node.op->subgraphs().empty()) return false;
    std::vector<InputInfo> infos = input_infos(node.inputs);
    for (size_t i = 0; i < infos.size(); ++i) {
      if (!is_wide(node.inputs[i]) || is_fixed(node, i)) continue;
      infos[i].type.dtype = to_;
      if (infos[i].constant && infos[i].constant->bytes() <= kResidentBytes) infos[i].constant = rounded(infos[i].constant, to_);
    }
    if (!gives_narrow(node, infos)) return false;
    std::vector<Value*> in;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      Value* v = node.inputs[i];
      in.push_back(!is_wide(v) ? v : is_fixed(node, i) ? wide_twin(node, v) : narrow_twin(node, v));
    }
    const Node& made = graph_.add_before(node, node.op, std::move(in), node.output()->name);
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      Value *from = node.outputs[i], *to = made.outputs[i];
      if (!is_wide(from)) {
        take_over(graph_, from, to);
        continue;
      }
      narrow_[from] = made_[from] = to;
      renamed_.emplace_back(from, to);
    }
    return true;
  }

  bool gives_narrow(const Node& node, const std::vector<InputInfo>& infos) const {
    try {
      const auto types = node.op->infer(InferContext(infos));
      for (size_t i = 0; i < types.size(); ++i) {
        TensorType wanted = node.outputs[i]->type;
        if (is_wide(node.outputs[i])) wanted.dtype = to_;
        if (types[i].dtype != wanted.dtype || types[i].container != wanted.container) return false;
      }
      return types.size() == node.outputs.size();
    } catch (const Error& e) {
      if (e.kind != ErrorKind::model) throw;
      return false;
    }
  }

  void stay(Node& node) {
    std::vector<Value*> in = node.inputs;
    for (Value*& v : in)
      if (v) v = wide_twin(node, v);
    if (in == node.inputs) return;
    const Node& made = graph_.add_before(node, node.op, std::move(in), node.outputs.empty() ? "v" : node.output()->name);
    for (size_t i = 0; i < node.outputs.size(); ++i) take_over(graph_, node.outputs[i], made.outputs[i]);
  }

  // Outputs of the graph stay wide, under their names; what became narrow inside bears the name of what it stands for.
  void hand_over() {
    for (const auto& [from, to] : renamed_) {
      if (graph_.is_output(from)) {
        if (!from->constant) take_over(graph_, from, wide_twin(*from->producer, from));
        continue;
      }
      std::swap(from->name, to->name);
      to->origin.insert(to->origin.end(), from->origin.begin(), from->origin.end());
    }
  }

  void report(const std::vector<std::string>& kept, int64_t layers) {
    if (kept.empty()) return;
    const std::string type(info(to_).name);
    std::string text =
        std::to_string(kept.size()) + " of " + std::to_string(layers) + " layers stay in f32, for " + type + " cannot hold their numbers: ";
    for (size_t i = 0; i < kept.size(); ++i) {
      context_.details.push_back("stays in f32: " + kept[i]);
      if (i < kNamed) text += (i ? "; " : "") + kept[i];
    }
    context_.notes.push_back(text + (kept.size() > kNamed ? "; …" : ""));
  }

  Graph& graph_;
  PassContext& context_;
  const DType to_;
  const Limits limits_;
  std::set<const Value*> tiny_;                          // may be as small as a constant that is lost; membership only
  std::map<const Tensor*, Verdict> verdicts_;            // looked up, never iterated; so are these:
  std::map<const Value*, Value*> narrow_, wide_, made_;  // made_: by the wide value whose producer has become narrow
  std::vector<std::pair<Value*, Value*>> renamed_;       // what was wide, and what stands for it
};

}  // namespace

int64_t quantize_floats(Graph& graph, PassContext& context) { return context.floats ? Rounder(graph, context).run() : 0; }

}  // namespace onecard
