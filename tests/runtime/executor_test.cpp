// Whole graphs through bind, plan and executor on the CPU, against the operators' definitions.
#include "lib/runtime/executor.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lib/bundle/self_check.h"
#include "lib/cpu/device.h"
#include "lib/device/reference_kernel.h"
#include "lib/ops/registry.h"
#include "lib/runtime/compare.h"

namespace onecard {
namespace {

Device& cpu() {
  static const std::unique_ptr<Device> device = make_cpu_device(0);
  return *device;
}

std::vector<const Tensor*> pointers(const std::vector<Tensor>& tensors) {
  std::vector<const Tensor*> out;
  for (const auto& t : tensors) out.push_back(&t);
  return out;
}

std::vector<Tensor> inputs_for(const Graph& g, const SymbolValues& sizes) {
  std::vector<Tensor> in;
  for (const auto& type : input_types(g, sizes)) in.push_back(random_tensor(type, 7 + in.size()));
  return in;
}

void agrees(Executor& executor, const Graph& g, const SymbolValues& sizes) {
  const auto in = inputs_for(g, sizes);
  const auto got = executor.run(pointers(in));
  const auto want = run_reference(g, pointers(in));
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    const Comparison c = compare(got[i], want[i]);
    EXPECT_TRUE(c.comparable) << c.why_not;
    EXPECT_LT(c.range_error, 1e-5) << "output " << i;
  }
}

void agrees(const char* text, const std::vector<SymbolValues>& all_sizes = {{}}) {
  const auto g = std::make_shared<const Graph>(parse_graph(text));
  Executor executor(g, cpu());
  for (const auto& sizes : all_sizes) agrees(executor, *g, sizes);
}

TEST(Executor, AnyBatchFromOneGraph) {
  agrees(R"(graph(%x: f32[batch,3,h,9]) {
    %w: f32[5,3,3,3] = constant
    %b: f32[5] = constant
    %c = conv(%x, %w, %b) {pads=[1,1,1,1], activation=relu}
    %d = pool(%c) {kernel=[2,2], strides=[2,2]}
    %f = flatten(%d)
    return %f
  })",
         {{{"batch", 1}, {"h", 8}}, {{"batch", 3}, {"h", 7}}, {{"batch", 1}, {"h", 8}}});
}

TEST(Executor, ShapesComputedInTheGraph) {
  agrees(R"(graph(%x: f32[batch,seq,12]) {
    %s = shape(%x)
    %i: i64[1] = constant [0]
    %j: i64[1] = constant [1]
    %n = gather(%s, %i)
    %m = gather(%s, %j)
    %h: i64[2] = constant [3,4]
    %t = concat(%n, %m, %h)
    %r = reshape(%x, %t)
    %y = transpose(%r) {perm=[0,2,1,3]}
    return %y
  })",
         {{{"batch", 2}, {"seq", 5}}, {{"batch", 1}, {"seq", 1}}});
}

TEST(Executor, BranchesRunTheirOwnPlans) {
  const char* text = R"(graph(%c: bool[], %x: f32[n,4]) {
    %y = if(%c, %x) {then_branch=graph(%a: f32[n,4]) { %b = unary(%a) {f=relu} return %b }, else_branch=graph(%a: f32[n,4]) { %w: f32[4,4] = constant %b = matmul(%a, %w) return %b }}
    %z = unary(%y) {f=tanh}
    return %z
  })";
  const auto g = std::make_shared<const Graph>(parse_graph(text));
  Executor executor(g, cpu());
  for (const bool condition : {true, false, true}) {
    std::vector<Tensor> in;
    in.push_back(Tensor::scalar<bool>(condition));
    in.push_back(random_tensor(TensorType(DType::f32, Shape{3, 4}), 1));
    EXPECT_LT(compare(executor.run(pointers(in))[0], run_reference(*g, pointers(in))[0]).range_error, 1e-6);
  }
}

TEST(Executor, HalfPrecisionIsComputedInFloat) {
  const auto g = std::make_shared<const Graph>(parse_graph(R"(graph(%x: f16[2,8]) {
    %w: f16[8,4] = constant
    %y = matmul(%x, %w)
    %z = unary(%y) {f=relu}
    return %z, %y
  })"));
  Executor executor(g, cpu());
  const auto in = inputs_for(*g, {});
  const auto got = executor.run(pointers(in)), want = run_reference(*g, pointers(in));
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(got[i].dtype(), DType::f16);
    EXPECT_LT(compare(got[i], want[i]).range_error, 2e-3);
  }
}

TEST(Executor, OutputsThatAreInputsAndConstants) {
  agrees("graph(%x: f32[2,3]) { %c: f32[2] = constant %y = unary(%x) {f=abs} return %y, %x, %c, %y }");
}

TEST(Executor, EmptyTensors) {
  agrees("graph(%x: f32[n,4]) { %w: f32[4,2] = constant %y = matmul(%x, %w) %z = unary(%y) {f=relu} return %z }", {{{"n", 0}}, {{"n", 2}}});
}

TEST(Executor, AnEmptyBatchRunsThroughWholeNetworks) {
  agrees(R"(graph(%x: f32[n,3,h,8]) {
    %w: f32[4,3,3,3] = constant
    %c = conv(%x, %w) {pads=[1,1,1,1], activation=relu}
    %d = pool(%c) {kernel=[2,2], strides=[2,2]}
    %k = concat(%d, %d) {axis=1}
    %a: i64[1] = constant [3]
    %m = reduce(%k, %a) {fn=mean, keep_dims=yes}
    %e = binary(%k, %m) {fn=sub}
    %f = flatten(%e)
    return %f, %m
  })",
         {{{"n", 0}, {"h", 8}}, {{"n", 2}, {"h", 3}}, {{"n", 0}, {"h", 1}}, {{"n", 1}, {"h", 1}}});
}

TEST(Executor, LoopsWhoseValuesGrow) {
  const auto g = std::make_shared<const Graph>(parse_graph(R"(graph(%m: i64[], %x: f32[n,4]) {
    %y, %s = loop(%m, _, %x) {carried=1, body=graph(%i: i64[], %c: bool[], %v: f32[?,?]) {
      %w = concat(%v, %v) {axis=0} %a: i64[1] = constant [0] %r = reduce(%w, %a) {fn=sum, keep_dims=no} return %c, %w, %r }}
    %z = unary(%y) {f=relu}
    return %z, %s
  })"));
  Executor executor(g, cpu());
  for (const int64_t trips : {3, 0, 1})
    for (const int64_t n : {2, 0}) {
      std::vector<Tensor> in;
      in.push_back(Tensor::scalar<int64_t>(trips));
      in.push_back(random_tensor(TensorType(DType::f32, Shape{n, 4}), 1));
      const auto got = executor.run(pointers(in)), want = run_reference(*g, pointers(in));
      for (size_t i = 0; i < 2; ++i) EXPECT_TRUE(compare(got[i], want[i]).comparable) << compare(got[i], want[i]).why_not;
    }
}

TEST(Executor, SmallerMemorySameAnswers) {
  const auto g = std::make_shared<const Graph>(parse_graph(R"(graph(%x: f32[1,65536]) {
    %a = unary(%x) {f=relu}
    %b = unary(%a) {f=sigmoid}
    %c = unary(%b) {f=tanh}
    %d = binary(%c, %b)
    %e = binary(%d, %a)
    return %e
  })"));
  Executor free(g, cpu());
  const auto in = inputs_for(*g, {});
  const auto want = free.run(pointers(in));
  int64_t smallest = 0;
  try {
    Executor none(g, cpu(), {1});
    none.run(pointers(in));
    FAIL();
  } catch (const Error& e) { smallest = e.smallest_feasible_bytes.value(); }
  Executor tight(g, cpu(), {smallest});
  EXPECT_EQ(compare(tight.run(pointers(in))[0], want[0]).max_abs, 0);
  EXPECT_LE(tight.memory().peak_bytes, smallest);
}

TEST(Executor, ExtremesKeepInfinityAndNaN) {
  const auto g = std::make_shared<const Graph>(parse_graph(R"(graph(%x: f32[4,3]) {
    %a: i64[1] = constant [1]
    %y = reduce(%x, %a) {fn=max}
    %z = reduce(%x, %a) {fn=min}
    return %y, %z
  })"));
  Executor executor(g, cpu());
  const float inf = INFINITY;
  std::vector<Tensor> in;
  in.push_back(Tensor::of<float>({4, 3}, {-inf, -inf, -inf, inf, inf, inf, 1, NAN, 2, 1, -inf, inf}));
  const auto got = executor.run(pointers(in)), want = run_reference(*g, pointers(in));
  for (size_t i = 0; i < 2; ++i) EXPECT_TRUE(compare(got[i], want[i]).comparable) << compare(got[i], want[i]).why_not;
}

// A run for the tap alone shows the same numbers and stops behind the last of them.
TEST(Executor, RunsOnlyAsFarAsTheTapWants) {
  const auto g = std::make_shared<const Graph>(parse_graph(R"(graph(%x: f32[4]) {
    %a = unary(%x) {f=abs}
    %b = unary(%a) {f=exp}
    %c = unary(%b) {f=exp}
    return %c
  })"));
  const auto in = inputs_for(*g, {});
  std::vector<std::string> seen;
  std::vector<float> whole, part;
  Executor executor(g, cpu());
  const auto tap_into = [&](std::vector<float>& values) {
    executor.set_tap([&](const Value&, const Tensor& t) { values.assign(t.data<float>().begin(), t.data<float>().end()); },
                     [](const Value& v) { return v.name == "a"; });
  };
  tap_into(whole);
  executor.run(pointers(in));
  tap_into(part);
  executor.set_step_timer([&](const PlanStep& s, double) { seen.push_back(s.node ? s.node->output()->name : "reorder"); });
  executor.run_for_tap(pointers(in));
  EXPECT_EQ(part, whole);
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.back(), "a");
  executor.set_step_timer(nullptr);
  executor.set_tap(nullptr);
  EXPECT_THROW(executor.run_for_tap(pointers(in)), Error);
  EXPECT_EQ(executor.run(pointers(in)).size(), 1u);
}

TEST(Executor, WrongInputsAreRefused) {
  const auto g = std::make_shared<const Graph>(parse_graph("graph(%x: f32[batch,4]) { %y = unary(%x) {f=relu} return %y }"));
  Executor executor(g, cpu());
  const Tensor wrong_shape(DType::f32, {2, 5}), wrong_type(DType::f64, {2, 4}), wrong_rank(DType::f32, {4});
  for (const Tensor* t : {&wrong_shape, &wrong_type, &wrong_rank}) EXPECT_THROW(executor.run({t}), Error);
  EXPECT_THROW(executor.run({}), Error);
}

TEST(Executor, ManyShapesKeepTheCacheBounded) {
  const auto g = std::make_shared<const Graph>(parse_graph("graph(%x: f32[n]) { %s = shape(%x) %y = unary(%x) {f=relu} return %y, %s }"));
  Executor executor(g, cpu());
  for (int64_t n = 1; n < 3 * static_cast<int64_t>(kMaxCachedPlans); ++n) agrees(executor, *g, {{"n", n}});
  agrees(executor, *g, {{"n", 1}});
}

TEST(Compare, KnowsItsMetrics) {
  const Tensor a = Tensor::of<float>({4}, {0, 1, 2, 4}), b = Tensor::of<float>({4}, {0, 1, 2, 3});
  const Comparison c = compare(b, a);
  EXPECT_EQ(c.max_abs, 1);
  EXPECT_EQ(c.range_error, 0.25);
  EXPECT_FALSE(compare(Tensor::of<float>({1}, {NAN}), Tensor::of<float>({1}, {1})).comparable);
  std::string why;
  EXPECT_TRUE(all_close(Tensor::of<float>({1}, {NAN}), Tensor::of<float>({1}, {NAN}), 0, 0, why));
  EXPECT_FALSE(all_close(b, a, 1e-3, 1e-3, why));
  const Tensor infinite = Tensor::of<float>({1}, {-INFINITY});
  EXPECT_TRUE(all_close(infinite, infinite, 1e-3, 1e-3, why));
  EXPECT_FALSE(all_close(Tensor::of<float>({1}, {-3e38f}), infinite, 1e-3, 1e-3, why)) << "a finite value is not near infinity";
}

// Fails the first time it is asked.
class LateSource : public TensorSource {
 public:
  void load(std::span<std::byte> into) const override {
    if (!asked_++) fail(ErrorKind::io, "not yet");
    std::fill(into.begin(), into.end(), std::byte{0});
  }
  std::string text() const override { return "late"; }

 private:
  mutable int asked_ = 0;
};

TEST(Executor, WeightsThatCouldNotBeLoadedAreLoadedByTheNextRun) {
  Graph g = parse_graph("graph(%x: f32[2,4], %b: f32[4]) { %w: f32[4,4] = constant %y = matmul(%x, %w) %z = binary(%y, %b) {fn=mul} return %z }");
  const TensorType type(DType::f32, Shape{4});
  Value* late = g.add_constant("late", std::make_shared<const Tensor>(Tensor::deferred(type, std::make_shared<LateSource>())));
  g.replace_uses(g.inputs[1], late);
  const auto graph = std::make_shared<const Graph>(std::move(g));
  const auto in = inputs_for(*graph, {});
  Executor executor(graph, cpu());
  EXPECT_THROW(executor.run(pointers(in)), Error);
  const auto got = executor.run(pointers(in));
  for (int64_t i = 0; i < got[0].elements(); ++i) EXPECT_EQ(got[0].at(i), 0);
}

}  // namespace
}  // namespace onecard
