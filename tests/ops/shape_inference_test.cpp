// Symbolic shapes through the ways exporters compute them.
#include <gtest/gtest.h>

#include "lib/ops/body_types.h"
#include "lib/ops/registry.h"

namespace onecard {
namespace {

// The type of the last value of a graph.
std::string last_type(const std::string& inputs, const std::string& body, const std::string& last) {
  const Graph g = parse_graph("graph \"t\"(" + inputs + ") {\n" + body + "\n  return %" + last + "\n}\n");
  verify(g);
  return g.outputs[0]->type.text();
}

TEST(Reshape, CopiesAndSolvesSymbolicExtents) {
  const std::string s = "  %s: i64[3] = constant [0, 768, -1]\n";
  EXPECT_EQ(last_type("%x: f32[batch,768,14,14]", s + "  %y: f32[batch,768,196] = reshape(%x, %s)", "y"), "f32[batch,768,196]");
  EXPECT_EQ(last_type("%x: f32[batch,h,768,w]", s + "  %y: f32[batch,768,?] = reshape(%x, %s)", "y").substr(0, 14), "f32[batch,768,");
}

TEST(Reshape, FollowsShapeGatherConcat) {
  const std::string body =
      "  %i: i64[] = constant [0]\n  %j: i64[] = constant [1]\n  %ax: i64[1] = constant [0]\n  %tail: i64[2] = constant [12, 64]\n"
      "  %sx: i64[3] = shape(%x)\n  %b: i64[] = gather(%sx, %i)\n  %n: i64[] = gather(%sx, %j)\n"
      "  %b1: i64[1] = unsqueeze(%b, %ax)\n  %n1: i64[1] = unsqueeze(%n, %ax)\n  %to: i64[4] = concat(%b1, %n1, %tail)\n"
      "  %y: f32[batch,seq,12,64] = reshape(%x, %to)";
  EXPECT_EQ(last_type("%x: f32[batch,seq,768]", body, "y"), "f32[batch,seq,12,64]");
}

TEST(Reshape, RefusesWhatDoesNotFit) {
  const std::string body = "  %s: i64[2] = constant [5, -1]\n  %y: f32[5,?] = reshape(%x, %s)";
  EXPECT_THROW(last_type("%x: f32[2,3]", body, "y"), Error);
}

TEST(Expand, TakesSymbolicShape) {
  const std::string body = "  %sx: i64[2] = shape(%x)\n  %one: f32[] = constant [1]\n  %y: f32[batch,seq] = expand(%one, %sx)";
  EXPECT_EQ(last_type("%x: f32[batch,seq]", body, "y"), "f32[batch,seq]");
}

TEST(Slice, CountsFromEitherEnd) {
  const auto sliced = [](const std::string& start, const std::string& end, const std::string& shape) {
    const std::string body = "  %a: i64[1] = constant [" + start + "]\n  %b: i64[1] = constant [" + end + "]\n  %ax: i64[1] = constant [1]\n  %y: f32[2,?] = slice(%x, %a, %b, %ax)";
    return last_type("%x: f32[2," + shape + "]", body, "y");
  };
  EXPECT_EQ(sliced("1", "9223372036854775807", "seq"), "f32[2,seq-1]");
  EXPECT_EQ(sliced("0", "-1", "seq"), "f32[2,seq-1]");
  EXPECT_EQ(sliced("-1", "9223372036854775807", "seq"), "f32[2,1]");
  EXPECT_EQ(sliced("0", "512", "seq"), "f32[2,?]");  // seq may be shorter
  EXPECT_EQ(sliced("-3", "-1", "10"), "f32[2,2]");
  EXPECT_EQ(sliced("7", "3", "10"), "f32[2,0]");
}

// Hostile text may leave out what an operator needs; a model error, not a read of what is not there.
TEST(Inference, MissingInputsAreRefused) {
  for (const char* call : {"pad(%x)", "tile(%x)", "top_k(%x)", "center_crop_pad(%x) {axes=[0]}", "col2im(%x)", "col2im(%x, %n)", "affine_grid(%x)", "gru(%x, _, %x)", "lstm(%x, _, %x)", "rnn(%x, _, %x)"})
    EXPECT_THROW(last_type("%x: f32[1,4,4]", std::string("  %n: i64[2] = constant\n  %y = ") + call, "y"), Error) << call;
}

TEST(Split, DividesSymbolicExtents) {
  EXPECT_EQ(last_type("%x: f32[2,3*d]", "  %y: f32[2,d], %z: f32[2,d], %w: f32[2,d] = split(%x) {axis=1, outputs=3}", "w"), "f32[2,d]");
}

TEST(Range, CountsSymbols) {
  const std::string body =
      "  %i: i64[] = constant [1]\n  %zero: i64[] = constant [0]\n  %one: i64[] = constant [1]\n  %sx: i64[2] = shape(%x)\n  %n: i64[] = gather(%sx, %i)\n"
      "  %y: i64[seq] = range(%zero, %n, %one)";
  EXPECT_EQ(last_type("%x: f32[batch,seq]", body, "y"), "i64[seq]");
}

// Each level is inferred more than once for each time the one around it is: without a bound this would take years.
TEST(Retyped, LoopsNestedDeeplyStayAsTheyAre) {
  std::string body = "%y = unary(%x) {f=relu}";
  for (int level = 0; level < 40; ++level)
    body = "%y = loop(%n, _, %x, %n) {carried=1, body=graph(%i: i64[], %c: bool[], %x: f32[?], %n: i64[]) { " + body + " return %c, %y }}";
  const Graph g = parse_graph("graph(%n: i64[], %x: f32[k]) { " + body + " return %y }");
  const Graph again = retyped(g, {g.inputs[0]->type, g.inputs[1]->type});
  EXPECT_EQ(again.outputs[0]->type.text(), g.outputs[0]->type.text());
}

}  // namespace
}  // namespace onecard
