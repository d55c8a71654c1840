#include "lib/plan/plan.h"

#include <gtest/gtest.h>

#include "lib/device/reference_kernel.h"
#include "lib/ops/registry.h"

namespace onecard {
namespace {

// Wide values kept across a narrow middle: the network that recomputation is for.
constexpr const char* kSkips = R"(graph(%x: f32[1,4096]) {
  %a = unary(%x) {f=relu}
  %b = unary(%a) {f=exp}
  %c = unary(%b) {f=tanh}
  %d = unary(%c) {f=abs}
  %e = binary(%d, %c)
  %f = binary(%e, %b)
  %g = binary(%f, %a)
  return %g
})";

struct Planned {
  Graph graph;
  std::unique_ptr<Device> device = make_reference_device();
  Plan plan;
  explicit Planned(const char* text, PlanOptions options = {}) : graph(parse_graph(text)) {
    place(graph, *device, 1);
    plan = make_plan(graph, *device, options);
  }
};

TEST(Plan, IsValidAndTight) {
  const Planned p(kSkips);
  validate(p.plan);
  EXPECT_EQ(p.plan.arena_bytes, p.plan.arena_lower_bound_bytes);
  EXPECT_EQ(p.plan.memory.io_bytes, 2 * 4096 * 4);
}

TEST(Plan, RecomputesUnderALimit) {
  const Planned free(kSkips);
  const int64_t peak = free.plan.memory.peak_bytes;
  const Planned tight(kSkips, {1, peak - 1});
  validate(tight.plan);
  EXPECT_LT(tight.plan.memory.peak_bytes, peak);
  EXPECT_GT(tight.plan.steps.size(), free.plan.steps.size());
}

TEST(Plan, NamesTheSmallestFeasibleLimit) {
  int64_t smallest = 0;
  try {
    Planned p(kSkips, {1, 1});
    FAIL() << "a limit of one byte was kept";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind, ErrorKind::does_not_fit);
    smallest = e.smallest_feasible_bytes.value();
  }
  EXPECT_EQ(Planned(kSkips, {1, smallest}).plan.memory.peak_bytes, smallest);
  EXPECT_THROW(Planned(kSkips, {1, smallest - 1}), Error);
}

TEST(Plan, OutputsThatAreInputsConstantsAndTwinsAreCopied) {
  const Planned p("graph(%x: f32[8]) { %c: f32[8] = constant %y = unary(%x) {f=relu} return %y, %x, %c, %y }");
  validate(p.plan);
  int outputs = 0;
  for (const auto& b : p.plan.buffers) outputs += b.kind == BufferKind::output;
  EXPECT_EQ(outputs, 4);
}

TEST(Validator, SeesPlantedErrors) {
  const Planned good(kSkips);
  const auto broken = [&](auto change) {
    Plan p = good.plan;
    change(p);
    EXPECT_THROW(validate(p), Error);
  };
  std::vector<size_t> arena;
  for (size_t i = 0; i < good.plan.buffers.size(); ++i)
    if (good.plan.buffers[i].kind == BufferKind::arena && good.plan.buffers[i].alias_of < 0) arena.push_back(i);
  ASSERT_GE(arena.size(), 2u);
  broken([&](Plan& p) { p.buffers[arena[1]].offset = p.buffers[arena[0]].offset; });
  broken([&](Plan& p) { p.buffers[arena[0]].offset += 8; });
  broken([&](Plan& p) { p.arena_bytes -= 64; });
  broken([&](Plan& p) { p.arena_lower_bound_bytes += 64; });
  broken([&](Plan& p) { p.buffers[arena[0]].last = p.buffers[arena[0]].first; });
  broken([&](Plan& p) { std::swap(p.steps[0], p.steps[1]); });
  broken([&](Plan& p) { p.buffers[arena[1]].alias_of = static_cast<int>(arena[0]); });
  broken([&](Plan& p) { p.memory.peak_bytes += 1; });
  broken([&](Plan& p) { p.memory.io_bytes -= 4, p.memory.peak_bytes -= 4; });
  broken([&](Plan& p) { p.steps.pop_back(); });
  // An in-place target that the step reads a second time.
  for (const PlanStep& step : good.plan.steps)
    for (const int b : step.out)
      if (b >= 0 && good.plan.buffers[static_cast<size_t>(b)].alias_of >= 0 && step.step && step.step->view_of < 0)
        broken([&](Plan& p) {
          auto& changed = p.steps[static_cast<size_t>(&step - good.plan.steps.data())];
          changed.in.push_back(changed.in[0]);
        });
  broken([&](Plan& p) { p.steps[2].in[0] = static_cast<int>(p.buffers.size()); });
}

}  // namespace
}  // namespace onecard
