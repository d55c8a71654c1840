// conv(x, w) => conv(x, q), q = round(w / s) of 8 bits, or of 4 bits in blocks along the sums; conv_transpose, matmul likewise
// f(dequantize(q)) for the left operand of matmul and for W and R of lstm, gru, rnn; gather(w, i) => gather_dequantized(q, i)
//   context.weights asks for it; w is a constant f32, f16 or bf16 of finite numbers, of rank 2 or more, read as a weight everywhere; layers named in
//   context.skip_layers and filter banks stay. Bytes: s = max|w| / 127 per output channel (row of a table), or per block of 128, 64 or 32 along the
//   sums where one scale per channel is not enough and the input is not to be integers as well; one scale where no axis is that of the channels.
//   Four bits: blocks of context.weight_block, weights that are summed over fewer than 16 or are few become bytes. Shared weights stay shared.
#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

#include "lib/ir/every_node.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/gather_dequantized.h"
#include "lib/ops/quantize.h"
#include "passes/filter_bank.h"
#include "passes/match.h"
#include "passes/weight_codes.h"
#include "passes/weights.h"

namespace onecard {

namespace {

constexpr int64_t kLarge = int64_t{1} << 22;  // elements: codes are made when they are asked for, so that they need not be held together
constexpr int64_t kFewestGathered = 256, kShortestRow = 16;  // elements of a table, of its rows

Tensor as_f32(const Tensor& t) { return t.dtype() == DType::f32 ? t.alias(t.type()) : convert(t, DType::f32); }

// The codes of a large weight.
class CodesSource : public TensorSource {
 public:
  CodesSource(ConstTensor weight, const CodeChoice& choice, std::function<void(const Tensor&)> has_read)
      : weight_(std::move(weight)), choice_(choice), has_read_(std::move(has_read)) {}
  void load(std::span<std::byte> into) const override {
    const ConstTensor source = materialize(weight_);
    if (info(choice_.dtype).bits == 8) {
      quantize_bytes(as_f32(*source), choice_.dtype, *choice_.quant, into);
    } else {
      const Tensor codes = quantize_tensor(as_f32(*source), choice_.dtype, choice_.quant);
      require(into.size() == static_cast<size_t>(codes.bytes()), ErrorKind::internal, "codes: ", into.size(), " bytes asked for, have ",
              codes.bytes());
      std::copy_n(codes.raw(), into.size(), into.data());
    }
    if (has_read_) has_read_(*source);
  }
  std::string text() const override { return "quantized"; }

 private:
  ConstTensor weight_;
  CodeChoice choice_;
  std::function<void(const Tensor&)> has_read_;
};

bool stays_float(const PassContext& context, const Node& node, const WeightSite& site) {
  const std::string name = node.output()->name + (is_recurrent(node) && site.input == 2 ? ".r" : "");
  return std::find(context.skip_layers.begin(), context.skip_layers.end(), name) != context.skip_layers.end();
}

// Whether every reader of a weight takes it as a weight: a float copy beside the integers would save nothing.
bool only_weight(const Value* w) {
  return std::all_of(w->users.begin(), w->users.end(), [&](const Node* user) {
    const auto sites = weight_sites(*user);
    for (size_t i = 0; i < user->inputs.size(); ++i)
      if (user->inputs[i] == w && std::none_of(sites.begin(), sites.end(), [&](const WeightSite& s) { return s.input == i; })) return false;
    return true;
  });
}

class WeightQuantizer {
 public:
  WeightQuantizer(Graph& graph, PassContext& context) : graph_(graph), context_(context) {
    request_.weights = context.weights;
    request_.block = context.weight_block;
    if (context.activations != ActivationPrecision::keep) request_.inputs = CodeRequest::Inputs::integers;
  }

  int64_t run() {
    int64_t changes = 0;
    for (auto it = graph_.nodes().begin(); it != graph_.nodes().end();) {
      Node& node = *it++;
      if (node.outputs.empty() || node.inputs.empty()) continue;
      for (const WeightSite& site : weight_sites(node))
        if (wanted(node, site)) changes += replace(node, site);
    }
    graph_.erase_dead();
    return changes;
  }

 private:
  bool wanted(const Node& node, const WeightSite& site) const {
    const Value* w = node.inputs[site.input];
    if (stays_float(context_, node, site) || (site.use == WeightUse::direct && is_filter_bank(node)) || !only_weight(w)) return false;
    if (site.use == WeightUse::gathered) return w->constant->elements() >= kFewestGathered && site.sum_extent >= kShortestRow;
    const Value* x = node.inputs[site.input == 0 ? 1 : 0];
    return x && !x->type.quant && x->type.dtype == w->type.dtype && !x->constant;
  }

  // The weight as integers; null when it cannot be.
  Value* codes_of(const Value* w, const WeightSite& site) {
    for (const Made& m : made_)
      if (m.source == w->constant && serves(m.site, site)) return m.codes;
    const ConstTensor source = materialize(w->constant);
    const Tensor real = as_f32(*source);
    const auto choice = choose_codes(real, site, request_);
    Value* codes = nullptr;
    if (choice) {
      const std::string name = graph_.unique(w->name + (info(choice->dtype).bits == 4 ? ".int4" : ".int8"));
      codes = real.elements() < kLarge
                  ? graph_.add_constant(name, quantize_tensor(real, choice->dtype, choice->quant))
                  : graph_.add_constant(name, Tensor::deferred(TensorType(choice->dtype, Shape::of(real.dims()), choice->quant),
                                                               std::make_shared<const CodesSource>(w->constant, *choice, context_.has_read)));
    }
    if (context_.has_read) context_.has_read(*source);
    made_.push_back({w->constant, site, codes});
    return codes;
  }

  bool replace(Node& node, const WeightSite& site) {
    const DType real = node.inputs[site.input]->type.dtype;
    Value* codes = codes_of(node.inputs[site.input], site);
    if (!codes) return false;
    if (site.use == WeightUse::gathered) {
      GatherDequantized gather;
      gather.axis = node.as<Gather>()->axis;
      gather.dtype = real;
      return replace_node(graph_, node, gather, {codes, node.inputs[1]});
    }
    std::vector<Value*> in = node.inputs;
    if (site.use == WeightUse::direct) {
      in[site.input] = codes;
      const auto type = inferred(*node.op, in);
      return type && type->dtype == node.output()->type.dtype && replace_inputs(graph_, node, std::move(in));
    }
    Dequantize dequantize;
    dequantize.dtype = real;
    in[site.input] = emit(graph_, node, dequantize, {codes});
    graph_.set_inputs(node, std::move(in));
    return true;
  }

  // Whether what was made for a weight in one place is what it is to be in another: rows of a table are those of a transposed right operand.
  bool serves(const WeightSite& a, const WeightSite& b) const {
    const bool same_use = a.use == b.use || request_.inputs == CodeRequest::Inputs::floats;
    return same_use && a.sum_axis == b.sum_axis && a.channel_axis == b.channel_axis && a.sum_extent == b.sum_extent && a.matrices == b.matrices;
  }

  struct Made {
    ConstTensor source;
    WeightSite site;
    Value* codes;  // null: it cannot be
  };
  Graph& graph_;
  PassContext& context_;
  CodeRequest request_;
  std::vector<Made> made_;
};

constexpr std::string_view kFourBits = "weights of four bits: ";

// What four bits were given to, and what not, in the graph and its bodies: these ran before it, and what they said of themselves is counted in.
void report(const Graph& graph, PassContext& context) {
  int64_t counts[3] = {}, elements[3] = {};  // four bits, bytes, floats
  std::set<const Tensor*> seen;
  every_node(graph, [&](const Graph&, const Node& node) {
    for (const Value* v : node.inputs) {
      if (!v || !v->constant || !v->type.quant || v->constant->rank() < 2 || !seen.insert(v->constant.get()).second) continue;
      const size_t kind = info(v->type.dtype).bits == 4 ? 0 : 1;
      ++counts[kind];
      elements[kind] += v->constant->elements();
    }
    for (const WeightSite& site : weight_sites(node)) {
      const ConstTensor& w = node.inputs[site.input]->constant;
      if (!seen.insert(w.get()).second) continue;
      ++counts[2];
      elements[2] += w->elements();
    }
  });
  std::ostringstream text;
  text << kFourBits << counts[0] << " (" << elements[0] << " elements), in blocks of " << context.weight_block;
  if (counts[1]) text << "; of eight bits: " << counts[1] << " (" << elements[1] << " elements), too few or summed over too few for blocks";
  if (counts[2]) text << "; in float: " << counts[2] << " (" << elements[2] << " elements), small tables, filter banks, not finite or kept by name";
  std::erase_if(context.notes, [](const std::string& note) { return note.starts_with(kFourBits); });
  if (counts[0] + counts[1] + counts[2] > 0) context.notes.push_back(text.str());
}

}  // namespace

int64_t quantize_weights(Graph& graph, PassContext& context) {
  if (context.weights == WeightPrecision::keep) return 0;
  const int64_t changes = WeightQuantizer(graph, context).run();
  if (context.weights == WeightPrecision::int4) report(graph, context);
  return changes;
}

}  // namespace onecard
