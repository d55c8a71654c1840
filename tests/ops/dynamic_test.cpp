// Layers that quantize their operand while they run: the definition against the same thing written out in plain numbers, and taken apart into
// the integer operators of ONNX.
#include <gtest/gtest.h>

#include <random>

#include "lib/ops/registry.h"

namespace onecard {
namespace {

std::vector<Tensor> noise_for(const Graph& graph, uint32_t seed) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal;
  std::vector<Tensor> made;
  for (const Value* v : graph.inputs) {
    Tensor t(v->type);
    for (float& x : t.data<float>()) x = normal(rng) * (made.empty() ? 3.0f : 1.0f);
    made.push_back(std::move(t));
  }
  return made;
}

std::vector<Tensor> run(const Graph& graph, const std::vector<Tensor>& inputs) {
  std::vector<const Tensor*> in;
  for (const Tensor& t : inputs) in.push_back(&t);
  return run_reference(graph, in);
}

// Takes every node apart that can be, again and again.
int take_apart(Graph& graph) {
  int apart = 0;
  for (auto it = graph.nodes().begin(); it != graph.nodes().end();) {
    Node& node = *it;
    const std::vector<Value*> parts =
        node.op->name() == "matmul" || node.op->name() == "conv" ? node.op->decompose(graph, node) : std::vector<Value*>{};
    if (!parts.empty()) {
      graph.replace_uses(node.outputs[0], parts[0]);
      ++apart;
      graph.erase_dead();
      it = graph.nodes().begin();
    } else {
      ++it;
    }
  }
  return apart;
}

void expect_same_apart(const std::string& text, int times) {
  SCOPED_TRACE(text);
  Graph graph = parse_graph(text);
  const auto inputs = noise_for(graph, 5);
  const auto whole = run(graph, inputs);
  EXPECT_EQ(take_apart(graph), times);
  verify(graph);
  bool integers = false;
  for (const Node& node : graph.nodes()) {
    EXPECT_TRUE(node.op->name() != "matmul" && node.op->name() != "conv");
    integers = integers || node.op->name() == "matmul_integer" || node.op->name() == "conv_integer";
  }
  EXPECT_TRUE(integers);
  const auto apart = run(graph, inputs);
  ASSERT_EQ(whole[0].dims(), apart[0].dims());
  for (int64_t i = 0; i < whole[0].elements(); ++i)
    ASSERT_NEAR(whole[0].at(i), apart[0].at(i), 1e-5 * (1 + std::abs(whole[0].at(i)))) << "element " << i;
}

const char* const kMatrix = "i8[5,3]{axis=1, scale=[0.5,0.25,1], zero=[0]}";

std::string matmul_text(const std::string& a, const std::string& b, const std::string& more, const std::string& fields) {
  return "graph(%a: f32[" + a + "]" + (more.empty() ? "" : ", %r: f32[" + more + "]") + ") { %b: " + b +
         " = constant [1,-2,3,4,5,-6,7,8,9,10,-11,12,100,-101,127] %y = matmul(%a, %b" + (more.empty() ? "" : ", _, %r") + ") {" + fields +
         "} return %y }";
}

TEST(DynamicMatMul, TakenApart) {
  for (const char* over : {"tensor", "row"}) {
    const std::string dynamic = std::string("dynamic=") + over;
    expect_same_apart(matmul_text("4,5", kMatrix, "", dynamic), 1);
    expect_same_apart(matmul_text("2,3,4,5", kMatrix, "", dynamic + ", alpha=0.5"), 1);
    expect_same_apart(matmul_text("4,5", "u8[3,5]{axis=0, scale=[0.5,0.25,1], zero=[3,128,0]}", "", dynamic + ", transpose_b=yes"), 1);
    expect_same_apart(matmul_text("4,5", kMatrix, "4,3", dynamic + ", activation=relu"), 2);
    expect_same_apart(matmul_text("2,4,3", "i8[1,3,5]{scale=[0.125], zero=[7]}", "", dynamic), 1);
  }
}

TEST(DynamicConv, TakenApart) {
  for (const char* over : {"tensor", "image"})
    for (const char* fields : {"", ", pads=[1,1,1,1]", ", strides=[2,1], group=2, pads=[0,1,1,0], activation=relu"})
      for (const char* images : {"1", "3"}) {
        const std::string f = fields, channels = f.find("group") == std::string::npos ? "2" : "4";
        expect_same_apart(
            std::string("graph(%x: f32[") + images + "," + channels + ",5,4]) { %w: i8[2,2,2,2]{axis=0, scale=[0.5,0.25], zero=[0,5]} = " +
                "constant [1,-2,3,4,5,-6,7,8,9,10,-11,12,100,-101,127,1] %b: f32[2] = constant [1,-2] %y = conv(%x, %w, %b) {dynamic=" + over + f +
                "} return %y }",
            f.find("relu") == std::string::npos ? 1 : 2);
      }
}

// Rows of their own ranges: what another row holds changes nothing.
TEST(DynamicMatMul, RowsAreByThemselves) {
  Graph graph = parse_graph(matmul_text("2,5", kMatrix, "", "dynamic=row"));
  std::vector<Tensor> inputs;
  inputs.push_back(Tensor::of<float>({2, 5}, {1, -2, 3, 0.5f, 0.1f, 0, 0, 0, 0, 0}));
  const auto first = run(graph, inputs);
  for (float& v : std::span(inputs[0].data<float>()).subspan(5)) v = 1000;
  const auto second = run(graph, inputs);
  for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(first[0].at(i), second[0].at(i));
  // The first row by hand: its range is 5, codes are round(51 x) beside a zero point of 102.
  const double codes[5] = {51, -102, 153, 26, 5}, columns[3][5] = {{1, 4, 7, 10, 100}, {-2, 5, 8, -11, -101}, {3, -6, 9, 12, 127}};
  const double scales[3] = {0.5, 0.25, 1};
  for (int n = 0; n < 3; ++n) {
    double sum = 0;
    for (int k = 0; k < 5; ++k) sum += codes[k] * columns[n][k];
    EXPECT_NEAR(first[0].at(n), sum * scales[n] / 51, 1e-4) << n;
  }
}

TEST(DynamicMatMul, RefusesWhatHasNoSuchSums) {
  for (const char* text :
       {"graph(%a: f32[4,5], %b: f32[5,3]) { %y = matmul(%a, %b) {dynamic=row} return %y }",
        "graph(%a: f32[5,4], %b: i8[5,3]{scale=[1], zero=[0]}) { %y = matmul(%a, %b) {dynamic=row, transpose_a=yes} return %y }",
        "graph(%a: f32[4,5], %b: i8[5,3]{scale=[1], zero=[0]}) { %y = matmul(%a, %b) {dynamic=image} return %y }",
        "graph(%a: u8[4,5]{scale=[1], zero=[0]}, %b: i8[5,3]{scale=[1], zero=[0]}) { %y = matmul(%a, %b) {dynamic=row} return %y }",
        "graph(%a: f32[4,5], %b: i8[5,3]{axis=0, scale=[1,1,1,1,1], zero=[0]}) { %y = matmul(%a, %b) {dynamic=row} return %y }",
        "graph(%x: f32[1,2,4,4], %w: i8[2,2,1,1]{scale=[1], zero=[0]}) { %y = conv(%x, %w) {dynamic=row} return %y }"})
    EXPECT_THROW(parse_graph(text), Error) << text;
}

}  // namespace
}  // namespace onecard
