// The manager: order, options, records, bodies of control flow, and what happens when a pass fails.
#include <gtest/gtest.h>

#include "lib/ir/text.h"
#include "lib/ops/matmul.h"
#include "lib/ops/registry.h"
#include "passes/match.h"
#include "passes/pipeline.h"

namespace onecard {

namespace {

constexpr char kNet[] = R"(graph(%x: f32[1,3,8,8]) {
  %w: f32[4,3,3,3] = constant
  %s: f32[4] = constant
  %t: f32[4] = constant
  %m: f32[4] = constant
  %v: f32[4] = constant
  %c = conv(%x, %w) {pads=[1,1,1,1]}
  %n = batch_norm(%c, %s, %t, %m, %v)
  %r = unary(%n) {f=relu}
  %y = unary(%r) {f=identity}
  return %y
})";

PipelineResult run_all(Graph& graph, const PipelineOptions& options) {
  PassContext context;
  const auto rows = standard_pipeline();
  return run_pipeline(graph, context, rows, options);
}

const PassRecord* record_of(const PipelineResult& result, std::string_view name) {
  for (const auto& r : result.records)
    if (r.name == name) return &r;
  return nullptr;
}

TEST(Manager, RunsTheStandardPipeline) {
  Graph graph = parse_graph(kNet);
  const PipelineResult result = run_all(graph, {});
  EXPECT_EQ(graph.nodes().size(), 1u);
  EXPECT_EQ(graph.outputs[0]->name, "y");
  ASSERT_NE(record_of(result, "fold_batch_norm_into_conv"), nullptr);
  EXPECT_EQ(record_of(result, "fold_batch_norm_into_conv")->changes, 1);
  EXPECT_EQ(record_of(result, "fold_batch_norm_into_conv")->bytes_delta, -3 * 16);  // four vectors became one bias
  EXPECT_FALSE(result.stopped);
}

TEST(Manager, EveryRowNamesAPassAndSaysWhy) {
  for (const PipelineRow& row : standard_pipeline()) {
    EXPECT_NE(find_pass(row.pass), nullptr) << row.pass;
    EXPECT_FALSE(row.why.empty()) << row.pass;
  }
}

// Branches that no input of the known sizes can take, as they come with --shape: they stay as they are, and running one says what does not fit.
constexpr char kImpossible[] = R"(graph(%x: f32[1,2,3], %d: bool[]) {
  %c: bool[] = constant [1]
  %y = if(%c, %x) {then_branch=graph(%a: f32[*]) { %w: f32[5,4] = constant %r = matmul(%a, %w) return %r }, else_branch=graph(%a: f32[*]) { %r = unary(%a) {f=neg} return %r }}
  %z = if(%d, %x) {then_branch=graph(%a: f32[1,2,3]) { %e: bool[] = constant [1] %r = if(%e, %a) {then_branch=graph(%p: f32[*]) { %w: f32[5,4] = constant %q = matmul(%p, %w) return %q }, else_branch=graph(%p: f32[*]) { return %p }} return %r }, else_branch=graph(%a: f32[1,2,3]) { %i = unary(%a) {f=identity} %r = unary(%i) {f=neg} return %r }}
  return %y, %z
})";

TEST(Manager, ImpossibleBranchesAreLeftAlone) {
  Graph graph = parse_graph(kImpossible);
  run_all(graph, {});
  ASSERT_EQ(graph.nodes().size(), 2u);
  const auto branches = graph.nodes().back().op->subgraphs();
  EXPECT_EQ(branches.at(1)->nodes().size(), 1u);      // the possible one is optimized all the same
}

// A rule whose knowledge shows that the model cannot run: the node stays, and what the rule had built goes.
bool multiply_by_what_does_not_fit(Graph& graph, Node& node, const Unary&) {
  Value* w = graph.add_constant("w", Tensor(DType::f32, {5, 4}));
  Value* y = emit(graph, node, Unary({Fn::neg}), {node.inputs[0]});
  return replace_node(graph, node, MatMul(), {y, w});
}

TEST(Manager, WhatARuleCannotBuildLeavesTheNode) {
  Graph graph = parse_graph("graph(%x: f32[2,3]) {\n  %y = unary(%x) {f=relu}\n  return %y\n}");
  const std::string before = to_text(graph);
  EXPECT_EQ(rewrite_each<Unary>(graph, multiply_by_what_does_not_fit), 0);
  EXPECT_EQ(to_text(graph), before);
  verify(graph);
}

TEST(Manager, SkipsAndStops) {
  PipelineOptions options;
  options.skip = {"fuse_activation"};
  Graph graph = parse_graph(kNet);
  EXPECT_EQ(record_of(run_all(graph, options), "fuse_activation"), nullptr);
  EXPECT_EQ(graph.nodes().size(), 2u);

  options = {};
  options.stop_after = StopAfter::parse("eliminate_identity:1");
  graph = parse_graph(kNet);
  EXPECT_TRUE(run_all(graph, options).stopped);
  EXPECT_EQ(graph.nodes().size(), 3u);

  options = {};
  options.only = {"eliminate_identity"};
  graph = parse_graph(kNet);
  EXPECT_EQ(run_all(graph, options).records.size(), 1u);
}

TEST(Manager, RefusesUnknownNames) {
  PipelineOptions options;
  options.skip = {"no_such_pass"};
  Graph graph = parse_graph(kNet);
  try {
    run_all(graph, options);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind, ErrorKind::usage);
  }
  EXPECT_THROW(StopAfter::parse("fuse_gelu:0"), Error);
  EXPECT_THROW(StopAfter::parse("fuse_gelu:x"), Error);
}

TEST(Manager, PrintsAndComparesAfterPasses) {
  PipelineOptions options;
  options.print_after = {"fuse_activation"};
  int prints = 0, comparisons = 0;
  options.print = [&](std::string_view pass, const Graph&) { prints += pass == "fuse_activation"; };
  options.verify_numbers = [&](std::string_view, const Graph& before, const Graph& after) { comparisons += &before != &after; };
  Graph graph = parse_graph(kNet);
  run_all(graph, options);
  EXPECT_GE(prints, 1);
  EXPECT_GE(comparisons, 3);
}

TEST(Manager, RunsOnBodies) {
  Graph graph = parse_graph(R"(graph(%c: bool[], %x: f32[2]) {
    %y = if(%c, %x) {then_branch=graph(%a: f32[2]) { %r = unary(%a) {f=identity} %s = unary(%r) {f=relu} return %s },
                     else_branch=graph(%a: f32[2]) { %r = unary(%a) {f=abs} return %r }}
    return %y
  })");
  run_all(graph, {});
  ASSERT_EQ(graph.nodes().size(), 1u);
  EXPECT_EQ(graph.nodes().front().op->subgraphs()[0]->nodes().size(), 1u);
  EXPECT_EQ(graph.outputs[0]->name, "y");
}

TEST(Manager, NamesTheFailingPassAndKeepsAReproducer) {
  Graph graph = parse_graph(kNet);
  graph.values().back().type.shape = Shape{7};        // not what the last node gives: verify must notice
  PipelineOptions options;
  std::string kept;
  options.keep_reproducer = [&](const std::string& text) { return kept = text, std::string("kept.ir"); };
  try {
    run_all(graph, options);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind, ErrorKind::internal);
    EXPECT_NE(std::string(e.what()).find("pass fold_captured_constants failed"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("kept.ir"), std::string::npos);
    EXPECT_NE(kept.find("graph("), std::string::npos);
  }
}

}  // namespace

}  // namespace onecard
