// The source of every CUDA kernel, compiled for the host, against the definition of its op: what a GPU would compute, without its threads.
#include <gtest/gtest.h>

#include <random>

#include "cuda/kernels.h"
#include "cuda/walk.h"
#include "lib/device/host_device.h"
#include "tests/cuda/kernel_case.h"

namespace onecard {
namespace {

class HostedKernels : public HostDevice {
 public:
  HostedKernels() {
    using namespace cuda;
#define KERNEL(name) kernels_.push_back(make_##name##_kernel());
#include "cuda/kernels.inc"
#undef KERNEL
  }
  std::string name() const override { return "cuda kernels on the host"; }
  std::string description() const override { return name(); }
  bool computes(DType t) const override { return t != DType::f16 && t != DType::bf16; }
  std::span<const std::unique_ptr<Kernel>> kernels() const override { return kernels_; }
  std::unique_ptr<Step> make_reorder(const TensorType&, const Layout&, const Layout&) const override { fail(ErrorKind::internal, "no layouts here"); }

 private:
  std::vector<std::unique_ptr<Kernel>> kernels_;
};

TEST(CudaFunctors, EqualTheDefinition) {
  HostedKernels device;
  for (const KernelCase& c : cuda_cases()) {
    const CaseResult r = run_kernel_case(device, c.graph, 7);
    EXPECT_EQ(r.kernel, c.kernel) << c.graph << "\n" << r.why_not;
    EXPECT_EQ(r.mismatch, "") << c.graph;
  }
}

TEST(CudaFunctors, DividerIsExact) {
  std::mt19937 rng(3);
  for (int64_t d : {1, 2, 3, 5, 7, 64, 641, 65535, 65537, 1 << 30, (1 << 30) + 1, INT32_MAX}) {
    const cuda::Divider divider(d);
    for (int i = 0; i < 10000; ++i) {
      const auto multiple = static_cast<int64_t>(rng() >> 1) / d * d;
      for (const int64_t n : {multiple, std::max<int64_t>(multiple - 1, 0), static_cast<int64_t>(rng() >> 1), int64_t{INT32_MAX}})
        ASSERT_EQ(divider.divide(static_cast<int>(n)), n / d) << n << " / " << d;
    }
  }
}

}  // namespace
}  // namespace onecard
