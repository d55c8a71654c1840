#pragma once
#include <string>
#include <vector>

#include "lib/ir/graph.h"

namespace onecard {

// How the rows that a weight multiplies lie in its input.
enum class RowSource : uint8_t {
  window /* conv: the window of one output place */,
  scattered /* conv_transpose: what reaches one output place */,
  last_axis /* matmul, W of a recurrent op */,
  states /* R of a recurrent op: its own earlier outputs */
};

// One constant weight of a node, seen as matrices: y[row, n] = sum over k of x[group][row, k] * w[group][k, n], with a bias per group and n.
struct Layer {
  const Node* node = nullptr;
  std::string name;  // of the node's first output, and for R of recurrent ops ".r" behind it
  size_t input = 1;  // of the node: the weight
  RowSource source = RowSource::last_axis;
  const Value* x = nullptr;                  // whose rows it multiplies
  int64_t groups = 1, depth = 0, width = 0;  // matrices, K, N
  int64_t taps = 1;                          // of a window; depth = channels * taps
  int64_t weight_elements() const { return groups * depth * width; }
  // Where column 0 of row k of matrix g lies in the weight; the other columns follow column_stride apart.
  int64_t at(int64_t g, int64_t k) const { return g * group_stride + k / taps * channel_stride + k % taps * tap_stride; }
  int64_t group_stride = 0, channel_stride = 0, tap_stride = 0, column_stride = 0;
};

// Whether it is W or R of an lstm, gru or rnn.
bool is_recurrent(const Layer& layer);

// Every layer of the network, in bodies too, in the order in which they run: conv, conv_transpose, matmul by a constant of rank 2, and W and R of
// lstm, gru and rnn, of f32, f16 or bf16. What cannot be seen as matrices is left out.
std::vector<Layer> find_layers(const Graph& graph);
// Those of one node, not of its bodies.
std::vector<Layer> layers_of(const Node& node);

// Matrix g of a weight, [depth, width], and its place in a tensor of the weight's extents.
std::vector<float> matrix_of(const Layer& layer, const Tensor& weight, int64_t g);
void put_matrix(const Layer& layer, std::span<const float> matrix, int64_t g, Tensor& weight);

// Elements of its weight that are 0.
int64_t zeros_of(const Layer& layer);

}  // namespace onecard
