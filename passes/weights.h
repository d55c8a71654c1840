#pragma once
#include <optional>
#include <vector>

#include "passes/pass.h"

namespace onecard {

// Whether a node is a lstm, gru or rnn, whose weights are inputs 1 (W) and 2 (R).
bool is_recurrent(const Node& node);

// Where the output channels lie in a weight: element (o, e, i) of [outer, extent, inner] belongs to channel (o / outer_per_group) * extent + e.
struct ChannelView {
  int64_t outer = 1, extent = 1, inner = 1, outer_per_group = 1;
  int64_t channels() const { return outer / outer_per_group * extent; }
  int64_t channel(int64_t o, int64_t e) const { return o / outer_per_group * extent + e; }
};

// Whether a node is a Conv, ConvTranspose or MatMul whose weight (input 1) is a constant with output channels; then where these lie.
std::optional<ChannelView> channel_view(const Node& node);
// The axis of that weight along which one scale per output channel can stand (quantization); nothing when no single axis can.
std::optional<int64_t> channel_axis(const Node& node);

// How a node comes to its weight when that is stored as integers.
enum class WeightUse : uint8_t {
  direct /* conv, conv_transpose, the right operand of matmul take quantized weights */,
  dequantized /* the left operand of matmul, W and R of lstm, gru, rnn: through a dequantize */,
  gathered /* rows of a table: gather becomes gather_dequantized */
};
// A constant weight of a node: which input, and the axes of the weight along which sums run and results lie.
struct WeightSite {
  size_t input = 1;
  WeightUse use = WeightUse::direct;
  int64_t sum_axis = -1;                // of a table: its last axis, along which one result lies
  std::optional<int64_t> channel_axis;  // one scale per index serves each result; nothing: no single axis does
  int64_t sum_extent = 0;               // how many neighbours along sum_axis belong to one sum: those of a group
  int64_t matrices = 1;                 // that the weight stacks along further axes, each with channels of its own
};
// The constant float weights (f32, f16, bf16) of rank 2 or more of a node.
std::vector<WeightSite> weight_sites(const Node& node);

// A node that sums products with constant weights and does nothing after it: no activation, no residual, no quantized result.
struct Linear {
  Node* node = nullptr;
  ChannelView view;
  int64_t rank = 0, axis = 0;  // of the result, and where its channels lie
};
// The producer of v as such, when nobody else reads v, its numbers are floats, and its bias is a constant or absent.
std::optional<Linear> linear_producer(const Graph& graph, const Value* v);

// What follows a linear node, per channel: y * scale + shift.
struct ChannelAffine {
  std::vector<double> scale, shift;
};
// A constant as one number per index of `axis` of a result of that rank, when broadcasting it there is the same; else nothing.
std::optional<std::vector<double>> per_channel(const Value* constant, int64_t rank, int64_t axis, int64_t channels);
// Replaces the output of `at` by the linear node with weights and bias changed so that they include `affine`. Always true.
bool fold_affine(Graph& graph, Node& at, const Linear& linear, const ChannelAffine& affine);
// The same for a Binary after a linear node of the kind that `accepts` names: add, sub, mul, div with a per-channel constant.
bool fold_arithmetic(Graph& graph, Node& node, bool (*accepts)(const Node& linear));

}  // namespace onecard
