#pragma once
#include <memory>
#include <random>
#include <string>

#include "lib/cpu/device.h"
#include "lib/flow/compression/moments.h"
#include "lib/ir/text.h"
#include "lib/ops/registry.h"

namespace onecard {

inline Products& products() {
  static const std::unique_ptr<Device> device = make_cpu_device(1);
  static Products made(*device);
  return made;
}

inline Tensor random_floats(const Dims& dims, uint32_t seed) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal;
  Tensor t(DType::f32, dims);
  for (float& v : t.data<float>()) v = normal(rng);
  return t;
}

// A graph of one node whose weight is filled with random numbers.
inline Graph one_layer(const std::string& text, const Dims& weight) {
  Graph graph = parse_graph(text);
  Value* w = graph.add_constant("w", random_floats(weight, 3));
  Node& node = graph.nodes().front();
  std::vector<Value*> in = node.inputs;
  in[1] = w;
  graph.set_inputs(node, in);
  return graph;
}

struct LayerCase {
  Graph graph;
  Layer layer;
  Moments moments;
  Tensor x, d;
  std::vector<float> w0;
};
// A matrix product whose rows in the compressed network are those of the original with noise, strongly correlated.
inline LayerCase noisy_product(int64_t rows, int64_t depth, int64_t width) {
  LayerCase c;
  c.graph = one_layer("graph(%x: f32[" + std::to_string(rows) + "," + std::to_string(depth) + "], %w: f32[" + std::to_string(depth) + "," +
                          std::to_string(width) + "]) {\n  %y = matmul(%x, %w)\n  return %y\n}\n",
                      {depth, width});
  c.layer = find_layers(c.graph)[0];
  c.d = random_floats({rows, depth}, 7);
  const Tensor common = random_floats({rows}, 8), noise = random_floats({rows, depth}, 9);
  for (int64_t i = 0; i < c.d.elements(); ++i)
    c.d.data<float>()[static_cast<size_t>(i)] += 2 * common.data<float>()[static_cast<size_t>(i / depth)] + 1;
  c.x = c.d.clone();
  for (int64_t i = 0; i < c.x.elements(); ++i) c.x.data<float>()[static_cast<size_t>(i)] += 0.05f * noise.data<float>()[static_cast<size_t>(i)];
  add_rows(products(), c.moments, c.layer, *c.layer.node->inputs[1]->constant, sample_rows(c.layer, c.x, rows, 0),
           sample_rows(c.layer, c.d, rows, 0));
  c.w0 = matrix_of(c.layer, *c.layer.node->inputs[1]->constant, 0);
  return c;
}

}  // namespace onecard
