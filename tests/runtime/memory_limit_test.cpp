// The memory limit as a hard cap: bodies of control flow, results whose size depends on data, plans of many shapes.
#include <gtest/gtest.h>

#include "lib/bundle/self_check.h"
#include "lib/cpu/device.h"
#include "lib/ops/registry.h"
#include "lib/runtime/compare.h"
#include "lib/runtime/executor.h"
#include "lib/runtime/memory_account.h"

namespace onecard {
namespace {

Device& cpu() {
  static const std::unique_ptr<Device> device = make_cpu_device(1);
  return *device;
}

std::vector<const Tensor*> pointers(const std::vector<Tensor>& tensors) {
  std::vector<const Tensor*> out;
  for (const auto& t : tensors) out.push_back(&t);
  return out;
}

std::vector<TensorType> types(const std::vector<Tensor>& tensors) {
  std::vector<TensorType> out;
  for (const auto& t : tensors) out.push_back(t.type());
  return out;
}

int64_t smallest_for(const GraphPtr& g, const std::vector<TensorType>& in) {
  try {
    Executor(g, cpu(), {1}).prepare(in);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind, ErrorKind::does_not_fit);
    return e.smallest_feasible_bytes.value_or(-1);
  }
  return -1;
}

// The smallest limit that is named is kept, with the same answers; one byte less is refused.
void keeps_smallest(const char* text, const std::vector<Tensor>& in, int64_t at_least) {
  const auto g = std::make_shared<const Graph>(parse_graph(text));
  const int64_t smallest = smallest_for(g, types(in));
  EXPECT_GE(smallest, at_least);
  EXPECT_THROW(Executor(g, cpu(), {smallest - 1}).run(pointers(in)), Error);
  Executor tight(g, cpu(), {smallest});
  const auto want = run_reference(*g, pointers(in));
  for (int run = 0; run < 2; ++run) {
    const auto got = tight.run(pointers(in));
    for (size_t i = 0; i < want.size(); ++i) EXPECT_LT(compare(got[i], want[i]).range_error, 1e-5);
  }
  EXPECT_LE(tight.memory().peak_bytes, smallest);
}

constexpr int64_t kBig = 65536 * 4;  // bytes of f32[1,65536]

TEST(MemoryLimit, CountsTheLargerBranch) {
  std::vector<Tensor> in;
  in.push_back(Tensor::scalar<bool>(false));
  in.push_back(random_tensor(TensorType(DType::f32, Shape{1, 4}), 1));
  keeps_smallest(R"(graph(%c: bool[], %x: f32[1,4]) {
    %y = if(%c, %x) {then_branch=graph(%a: f32[1,4]) { %b = unary(%a) {f=relu} return %b }, else_branch=graph(%a: f32[1,4]) {
      %w: f32[4,65536] = constant %b = matmul(%a, %w) %s = unary(%b) {f=sigmoid} %t = reduce(%s) {fn=max, keep_dims=yes} %r = binary(%a, %t) {fn=add} return %r }}
    %z = unary(%y) {f=tanh}
    return %z
  })",
                 in, 4 * kBig + kBig);
}

TEST(MemoryLimit, CountsLoopsInLoops) {
  std::vector<Tensor> in;
  in.push_back(Tensor::scalar<int64_t>(3));
  in.push_back(random_tensor(TensorType(DType::f32, Shape{1, 65536}), 1));
  keeps_smallest(R"(graph(%m: i64[], %x: f32[1,65536]) {
    %y = loop(%m, _, %x, %m) {carried=1, body=graph(%i: i64[], %c: bool[], %v: f32[?,?], %m: i64[]) {
      %w = loop(%m, _, %v) {carried=1, body=graph(%j: i64[], %d: bool[], %u: f32[?,?]) { %a = unary(%u) {f=sigmoid} %b = unary(%a) {f=tanh} %s = binary(%b, %a) return %d, %s }}
      return %c, %w }}
    return %y
  })",
                 in, 3 * kBig);
}

TEST(MemoryLimit, DataDependentResultsAreCapped) {
  const auto g = std::make_shared<const Graph>(
      parse_graph("graph(%x: f32[1,65536]) { %i = non_zero(%x) %f = cast(%i) {to=f32} %y = unary(%f) {f=neg} return %y }"));
  std::vector<Tensor> few, many;
  few.push_back(Tensor(DType::f32, {1, 65536}));
  many.push_back(random_tensor(TensorType(DType::f32, Shape{1, 65536}), 1));
  Executor executor(g, cpu(), {3 * kBig});
  EXPECT_EQ(executor.run(pointers(few))[0].elements(), 0);
  try {
    executor.run(pointers(many));
    FAIL();
  } catch (const Error& e) { EXPECT_EQ(e.kind, ErrorKind::does_not_fit); }
  EXPECT_LE(executor.memory().peak_bytes, 3 * kBig);
  EXPECT_EQ(executor.run(pointers(few))[0].elements(), 0);
}

TEST(MemoryLimit, PlansOfOtherShapesGiveWay) {
  const auto g = std::make_shared<const Graph>(parse_graph(R"(graph(%x: f32[n,65536]) {
    %a = unary(%x) {f=sigmoid} %b = unary(%a) {f=tanh} %c = binary(%b, %a) %w: f32[65536,2] = constant %y = matmul(%c, %w) return %y })"));
  const int64_t limit = smallest_for(g, {TensorType(DType::f32, Shape{4, 65536})});
  ASSERT_GT(limit, 0);
  Executor executor(g, cpu(), {limit});
  for (const int64_t n : {4, 1, 3, 4, 2, 4}) {
    std::vector<Tensor> in;
    in.push_back(random_tensor(TensorType(DType::f32, Shape{n, 65536}), 2));
    EXPECT_LT(compare(executor.run(pointers(in))[0], run_reference(*g, pointers(in))[0]).range_error, 1e-5);
  }
  EXPECT_LE(executor.memory().peak_bytes, limit);
}

TEST(MemoryAccount, RefusesBeforeAndForgetsAfter) {
  const auto account = std::make_shared<MemoryAccount>(100, 10);
  {
    const auto a = account->take(Holds::arena, 60);
    EXPECT_THROW((void)account->take(Holds::pool, 31), Error);
    const auto b = account->take(Holds::pool, 30);
    EXPECT_EQ(account->held(), 100);
  }
  EXPECT_EQ(account->held(), 10);
  const Tensor t = account->tensor(TensorType(DType::f32, Shape{20}));
  EXPECT_TRUE(account->counts(t));
  EXPECT_THROW((void)account->take(Holds::pool, 11), Error);
  EXPECT_EQ(account->at_peak().peak_bytes, 100);
}

// What is loaded ahead of a run counts like what a run loads: it keeps the limit, and the run finds it there.
TEST(MemoryLimit, HoldsForWeightsThatAreLoadedAhead) {
  Graph g = parse_graph("graph(%x: f32[2,256], %w: f32[256,256]) { %y = matmul(%x, %w) return %y }");
  Tensor w(DType::f32, {256, 256});
  for (int64_t i = 0; i < w.elements(); ++i) w.data<float>()[static_cast<size_t>(i)] = static_cast<float>(i % 7) - 3;
  g.replace_uses(g.inputs[1], g.add_constant("weight", std::move(w)));
  g.inputs.pop_back();
  const auto graph = std::make_shared<const Graph>(std::move(g));
  std::vector<Tensor> in;
  in.push_back(random_tensor(TensorType(DType::f32, Shape{2, 256}), 1));
  const int64_t smallest = smallest_for(graph, types(in));
  ASSERT_GE(smallest, 256 * 256 * 4);
  Executor tight(graph, cpu(), {smallest});
  tight.load(pointers(in));
  EXPECT_GE(tight.memory().peak_bytes, 256 * 256 * 4);
  const auto got = tight.run(pointers(in));
  EXPECT_LE(tight.memory().peak_bytes, smallest);
  EXPECT_LT(compare(got[0], run_reference(*graph, pointers(in))[0]).range_error, 1e-5);
  EXPECT_THROW(Executor(graph, cpu(), {smallest - 1}).load(pointers(in)), Error);
}

}  // namespace
}  // namespace onecard
