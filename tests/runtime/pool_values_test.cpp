// Values whose size depends on data, and results of branches, beside planned memory.
#include <gtest/gtest.h>

#include "lib/cpu/device.h"
#include "lib/ops/registry.h"
#include "lib/runtime/compare.h"
#include "lib/runtime/executor.h"

namespace onecard {
namespace {

void agrees(const char* text, const std::vector<const Tensor*>& in) {
  const auto g = std::make_shared<const Graph>(parse_graph(text));
  const auto device = make_cpu_device(0);
  Executor executor(g, *device);
  for (int run = 0; run < 2; ++run) {
    const std::vector<Tensor> got = executor.run(in), want = run_reference(*g, in);
    for (size_t i = 0; i < want.size(); ++i) {
      const Comparison c = compare(got[i], want[i]);
      EXPECT_TRUE(c.comparable) << "output " << i << ": " << c.why_not;
      EXPECT_LT(c.range_error, 1e-6) << "output " << i;
    }
  }
}

TEST(PoolValues, AnOutputThatIsReadAsWellStaysToTheEnd) {
  const Tensor x = Tensor::of<float>({2, 3}, {0, 1, 0, 2, 0, 3});
  agrees(R"(graph(%x: f32[2,3]) {
    %i = non_zero(%x)
    %t = transpose(%i)
    %u = transpose(%t)
    %v = transpose(%u)
    return %v, %i
  })", {&x});
}

TEST(PoolValues, ABranchResultMayBeReshapedAndReturned) {
  const Tensor condition = Tensor::scalar<bool>(true), x = Tensor::of<float>({2, 2}, {-1, 2, -3, 4});
  agrees(R"(graph(%c: bool[], %x: f32[2,2]) {
    %y = if(%c, %x) {then_branch=graph(%a: f32[2,2]) { %b = unary(%a) {f=relu} return %b }, else_branch=graph(%a: f32[2,2]) { %b = unary(%a) {f=abs} return %b }}
    %s: i64[1] = constant [4]
    %r = reshape(%y, %s)
    %z = unary(%r) {f=neg}
    return %z, %r, %y
  })", {&condition, &x});
}

}  // namespace
}  // namespace onecard
