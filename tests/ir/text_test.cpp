#include <gtest/gtest.h>

#include "lib/ops/registry.h"

namespace onecard {
namespace {

void round_trip(const char* text) {
  const Graph g = parse_graph(text);
  verify(g);
  const std::string once = to_text(g, ConstantText::elements);
  const Graph again = parse_graph(once);
  EXPECT_EQ(to_text(again, ConstantText::elements), once);
  EXPECT_TRUE(same_structure(g, again));
}

TEST(Text, EveryPartReadsBack) {
  round_trip(R"(graph "net"(%x: f32[batch,3,?], %"odd name": i64[2*seq+1] @["a","b"]) {
    %c: f32[3] = constant [1,nan,-inf]
    %y: f32[batch,3,?] = unary(%x) {f=clip(0,6)} ! "node/1"
    %s = shape(%y)
    return %y, %s, %"odd name", %c
  })");
}

TEST(Text, NestedGraphs) {
  round_trip(R"(graph(%c: bool[], %x: f32[4]) {
    %y = if(%c, %x) {then_branch=graph(%a: f32[4]) { %b = unary(%a) {f=relu} return %b }, else_branch=graph(%a: f32[4]) { %k: f32[4] = constant [1,2,3,4] %b = binary(%a, %k) return %b }}
    return %y
  })");
}

TEST(Text, QuantizedTypes) {
  round_trip(R"(graph(%x: f32[1,2,4,4]) {
    %w: i8[3,2,1,1]{axis=0, block=0, scale=[0.5,0.25,0.125], zero=[0]} = constant [1,2,3,4,5,6]
    %q = quantize(%x) {quant={axis=-1, block=0, scale=[0.1], zero=[0]}}
    %y = conv(%q, %w)
    return %y
  })");
}

TEST(Text, WrongTextNamesItsLine) {
  for (const char* text : {"graph(", "graph() { return %x }", "graph(%x: f99[1]) { return %x }", "graph(%x: f32[1]) {\n %y = frobnicate(%x)\n return %y }",
                           "graph(%x: f32[1]) { %x = unary(%x) return %x }", "graph(%x: f32[1]) { %y = unary(%x) {nope=1} return %y }", "graph() { %c: f32[100000000000] = constant return %c }",
                           "graph() { %c: f32[9] = constant [1] return %c }"})
    EXPECT_THROW(parse_graph(text), Error) << text;
}

TEST(Graph, OutputsKeepTheirNames) {
  Graph g = parse_graph("graph(%x: f32[2]) { %a = unary(%x) {f=relu} %b = unary(%a) {f=abs} return %b }");
  Value *a = g.find("a"), *b = g.find("b");
  g.replace_uses(b, a);
  g.erase_dead();
  EXPECT_EQ(g.outputs[0]->name, "b");
  EXPECT_EQ(g.outputs[0], a);
  EXPECT_EQ(g.nodes().size(), 1u);
  verify(g);
}

TEST(Graph, VerifySeesWrongTypes) {
  Graph g = parse_graph("graph(%x: f32[2]) { %a = unary(%x) {f=relu} return %a }");
  g.outputs[0]->type.shape = Shape{3};
  EXPECT_THROW(verify(g), Error);
}

TEST(Graph, CloneIsApart) {
  const Graph g = parse_graph("graph(%x: f32[2]) { %c: f32[2] = constant %a = binary(%x, %c) return %a }");
  Graph h = g.clone();
  EXPECT_EQ(to_text(g), to_text(h));
  h.add(make_op("unary"), {h.outputs[0]}, "z");
  EXPECT_EQ(g.nodes().size(), 1u);
  verify(g);
  verify(h);
}

}  // namespace
}  // namespace onecard
