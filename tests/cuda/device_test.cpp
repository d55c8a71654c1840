// Every CUDA kernel on a GPU against the definition of its op. SKIPPED, in words, where there is none.
#include <gtest/gtest.h>

#include "cuda/device.h"
#include "tests/cuda/kernel_case.h"

namespace onecard {
namespace {

TEST(CudaDevice, SaysWhyThereIsNone) {
  std::string why_none;
  const int count = cuda_device_count(why_none);
  EXPECT_EQ(count == 0, !why_none.empty());
  try {
    make_cuda_device(count);
    FAIL() << "a GPU behind the last one";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind, ErrorKind::no_device) << e.what();
  }
}

class CudaGpu : public testing::Test {
 protected:
  void SetUp() override {
    std::string why_none;
    if (cuda_device_count(why_none) == 0) GTEST_SKIP() << "SKIPPED: " << why_none;
    device_ = make_cuda_device(0);
  }
  std::unique_ptr<Device> device_;
};

TEST_F(CudaGpu, KernelsEqualTheDefinition) {
  RecordProperty("gpu", device_->description());
  std::cout << "on " << device_->description() << "\n";
  for (const KernelCase& c : cuda_cases()) {
    const CaseResult r = run_kernel_case(*device_, c.graph, 7);
    EXPECT_EQ(r.kernel, c.kernel) << c.graph << "\n" << r.why_not;
    EXPECT_EQ(r.mismatch, "") << c.graph;
  }
}

TEST_F(CudaGpu, MemoryThatIsNotThereIsRefused) {
  try {
    device_->allocate(device_->memory_bytes() * 2);
    FAIL() << "twice the GPU's memory was granted";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind, ErrorKind::does_not_fit) << e.what();
  }
  EXPECT_NE(device_->allocate(64)->data(), nullptr);
}

}  // namespace
}  // namespace onecard
