#pragma once
#include <gtest/gtest.h>

#include "lib/ops/registry.h"

namespace onecard {

// One operator of ai.onnx.ml on one input, imported and evaluated by the definitions.
struct MlCase {
  OnnxNode node;
  Graph graph;
  Tensor x;

  MlCase(const std::string& op_type, Tensor input, size_t outputs = 1, int64_t opset = 3) : x(std::move(input)) {
    node.op_type = op_type;
    node.domain = "ai.onnx.ml";
    node.name = "n";
    node.opset = opset;
    for (size_t i = 0; i < outputs; ++i) node.outputs.push_back("y" + std::to_string(i));
  }
  MlCase& set(const std::string& key, OnnxAttribute value) {
    node.attributes.insert_or_assign(key, std::move(value));
    return *this;
  }
  // The graph of the node alone.
  Graph& import() {
    graph = Graph();
    node.graph = &graph;
    node.inputs = {graph.add_input("x", x.type())};
    graph.outputs = find_importer(node.domain, node.op_type)->from_onnx(node);
    return graph;
  }
  std::vector<Tensor> run() { return run_reference(import(), {&x}); }
};

using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;
using Strings = std::vector<std::string>;

inline Tensor column(const Floats& values) { return Tensor::of<float>({std::ssize(values), 1}, values); }
inline ConstTensor constant(Tensor t) { return std::make_shared<const Tensor>(std::move(t)); }
inline void expect_near(const Tensor& t, const std::vector<double>& wanted, double tolerance = 1e-6) {
  ASSERT_EQ(t.elements(), std::ssize(wanted));
  for (size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(t.at(static_cast<int64_t>(i)), wanted[i], tolerance) << "element " << i;
}
// The message with which `body` fails for a bad model; "" when it does not fail.
template <class F>
std::string refusal(F&& body) {
  try {
    body();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind, ErrorKind::model) << e.what();
    return e.what();
  }
  return "";
}

}  // namespace onecard
