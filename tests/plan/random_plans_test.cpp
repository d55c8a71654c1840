#include <gtest/gtest.h>

#include <random>

#include "lib/ops/binary.h"
#include "lib/ops/registry.h"
#include "lib/ops/shape_ops.h"
#include "lib/ops/unary.h"
#include "tests/plan/fake_device.h"

namespace onecard {
namespace {

// A network of elementwise functions, sums and reshapes over a few sizes, with values used near and far from where they are made.
Graph random_graph(uint32_t seed, int nodes) {
  std::mt19937 rng(seed);
  Graph g;
  std::vector<std::vector<Value*>> by_size(3);
  for (size_t k = 0; k < by_size.size(); ++k) by_size[k].push_back(g.add_input("x" + std::to_string(k), TensorType(DType::f32, Shape{Dim(int64_t{4} << (2 * k)), Dim(8)})));
  Value* flat = g.add_constant("flat", Tensor::of<int64_t>({1}, {-1}));
  constexpr Fn kFns[] = {Fn::relu, Fn::tanh, Fn::abs, Fn::tanh, Fn::sin};
  for (int i = 0; i < nodes; ++i) {
    auto& values = by_size[rng() % by_size.size()];
    const auto pick = [&] { return values[rng() % 3 == 0 ? rng() % values.size() : values.size() - 1 - rng() % std::min<size_t>(values.size(), 3)]; };
    Value *a = pick(), *b = pick();
    const std::string name = "v" + std::to_string(i);
    if (rng() % 5 == 0) values.push_back(g.add(std::make_shared<Reshape>(), {a, flat}, name).output());
    else if (rng() % 2 == 0 && a->type.shape == b->type.shape) values.push_back(g.add(std::make_shared<Binary>(BinaryFn::add), {a, b}, name).output());
    else values.push_back(g.add(std::make_shared<Unary>(Activation{kFns[rng() % 5]}), {a}, name).output());
  }
  for (auto& values : by_size) g.outputs.push_back(values.back());
  g.outputs.push_back(by_size[0][rng() % by_size[0].size()]);  // perhaps an input, a view or an output again
  g.erase_dead();
  return g;
}

void expect_right(const Plan& plan, const Graph& g, const std::vector<const Tensor*>& in, const std::vector<Tensor>& want) {
  validate(plan);
  const std::vector<Tensor> got = run_plan(plan, g, in);
  for (size_t i = 0; i < want.size(); ++i)
    for (int64_t k = 0; k < want[i].elements(); ++k) ASSERT_NEAR(got[i].at(k), want[i].at(k), 1e-5) << "output " << i << "\n" << to_text(plan);
}

// Whatever the limit, a plan that is given keeps it, is valid, and computes what the ops' definitions say; the smallest limit is named.
TEST(RandomPlans, AreRightAtEveryLimit) {
  int64_t saved = 0, recomputed = 0;
  for (uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Graph g = random_graph(seed, 10 + static_cast<int>(seed) * 2);
    const auto device = make_fake_device();
    place(g, *device, 1);
    std::vector<Tensor> data;
    std::vector<const Tensor*> in;
    for (const Value* v : g.inputs) {
      Tensor t(v->type);
      for (int64_t k = 0; k < t.elements(); ++k) t.set(k, 0.01 * static_cast<double>(k % 97) - 0.3);
      data.push_back(std::move(t));
    }
    for (const Tensor& t : data) in.push_back(&t);
    const std::vector<Tensor> want = run_reference(g, in);
    const Plan free = make_plan(g, *device, {});
    expect_right(free, g, in, want);
    int64_t smallest = 0;
    try {
      make_plan(g, *device, {1, 1});
      FAIL() << "a limit of one byte was kept";
    } catch (const Error& e) {
      ASSERT_EQ(e.kind, ErrorKind::does_not_fit);
      smallest = e.smallest_feasible_bytes.value();
    }
    EXPECT_THROW(make_plan(g, *device, {1, smallest - 1}), Error);
    for (int k = 0; k <= 4; ++k) {
      const int64_t limit = smallest + (free.memory.peak_bytes - smallest) * k / 4;
      const Plan plan = make_plan(g, *device, {1, limit});
      EXPECT_LE(plan.memory.peak_bytes, limit);
      expect_right(plan, g, in, want);
      for (const auto& s : plan.steps) recomputed += s.recomputed;
    }
    saved += free.memory.peak_bytes - smallest;
    EXPECT_EQ(to_text(make_plan(g, *device, {1, smallest})), to_text(make_plan(g, *device, {1, smallest})));
  }
  EXPECT_GT(saved, 0);
  EXPECT_GT(recomputed, 0);
}

// In the order written, both wide values would be live at once.
TEST(Order, RunsABranchToItsEndBeforeTheNext) {
  Graph g = parse_graph(R"(graph(%x: f32[4,1024]) {
    %a = unary(%x) {f=exp}
    %b = unary(%x) {f=sin}
    %p = reduce(%a) {fn=sum}
    %q = reduce(%b) {fn=sum}
    %y = binary(%p, %q)
    return %y
  })");
  const auto device = make_fake_device();
  place(g, *device, 1);
  const Plan plan = make_plan(g, *device, {});
  validate(plan);
  EXPECT_LT(plan.arena_bytes, 2 * 4 * 1024 * 4);
}

TEST(Layouts, AReorderIsMadeOnceAndOutputsArePlain) {
  Graph g = parse_graph(R"(graph(%x: f32[4,16]) {
    %a = unary(%x) {f=abs}
    %b = unary(%a) {f=tanh}
    %c = unary(%b) {f=tanh}
    %d = unary(%a) {f=tanh}
    %e = binary(%b, %d)
    return %e, %c
  })");
  const auto device = make_fake_device();
  place(g, *device, 1);
  const Plan plan = make_plan(g, *device, {});
  validate(plan);
  int reorders = 0;
  for (const auto& s : plan.steps) reorders += s.kernel == "reorder";
  EXPECT_EQ(reorders, 4) << to_text(plan);            // a turned once, b, d and c turned back
}

}  // namespace
}  // namespace onecard
