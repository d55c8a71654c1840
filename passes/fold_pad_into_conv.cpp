// conv(pad(x, p), w, b) {pads=q} => conv(x, w, b) {pads=p+q}
//   pad is constant, of zeros, on spatial axes alone, and cuts nothing; conv has explicit pads; x is not quantized.
#include <algorithm>

#include "lib/ops/conv.h"
#include "lib/ops/data_ops.h"
#include "passes/match.h"

namespace onecard {

namespace {

// Begins and ends per axis of x, or nothing unless they are known and of zeros.
std::optional<std::vector<int64_t>> zero_pads(const Node& node, int64_t rank) {
  if (node.as<Pad>()->mode != PadMode::constant) return std::nullopt;
  if (node.input(2) && !is_scalar(node.input(2), 0)) return std::nullopt;
  const auto given = ints_of(node.input(1));
  if (!given) return std::nullopt;
  std::vector<int64_t> axes;
  if (node.input(3)) {
    const auto listed = ints_of(node.input(3));
    if (!listed) return std::nullopt;
    axes = *listed;
  } else {
    for (int64_t i = 0; i < rank; ++i) axes.push_back(i);
  }
  if (given->size() != 2 * axes.size()) return std::nullopt;
  std::vector<int64_t> pads(static_cast<size_t>(2 * rank), 0);
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    if (axis < 0 || axis >= rank) return std::nullopt;
    pads[static_cast<size_t>(axis)] = (*given)[i];
    pads[static_cast<size_t>(axis + rank)] = (*given)[i + axes.size()];
  }
  return pads;
}

bool rule(Graph& graph, Node& node, const Conv& op) {
  constexpr int64_t kMostPad = 1 << 20;
  const Node* pad = producer_of<Pad>(node.inputs[0]);
  if (!pad || (op.auto_pad != AutoPad::notset && op.auto_pad != AutoPad::valid)) return false;
  Value* x = pad->inputs[0];
  if (x->type.quant || !x->type.shape.has_rank() || x->type.shape.rank() < 3) return false;
  const int64_t rank = x->type.shape.rank();
  const auto pads = zero_pads(*pad, rank);
  if (!pads || std::any_of(pads->begin(), pads->end(), [](int64_t p) { return p < 0 || p > kMostPad; })) return false;
  const auto at = [&](int64_t i) { return (*pads)[static_cast<size_t>(i)]; };
  if (at(0) || at(1) || at(rank) || at(rank + 1)) return false;
  Conv folded = op;
  folded.auto_pad = AutoPad::notset;
  folded.pads.resize(static_cast<size_t>(2 * (rank - 2)), 0);
  for (int64_t i = 0; i < rank - 2; ++i) {
    folded.pads[static_cast<size_t>(i)] += at(i + 2);
    folded.pads[static_cast<size_t>(i + rank - 2)] += at(i + 2 + rank);
  }
  std::vector<Value*> in = node.inputs;
  in[0] = x;
  return replace_node(graph, node, std::move(folded), std::move(in));
}

}  // namespace

int64_t fold_pad_into_conv(Graph& graph, PassContext&) { return rewrite_each<Conv>(graph, rule); }

}  // namespace onecard
