#include "cuda/check.h"
#include "cuda/kernels.h"

namespace onecard::cuda {
namespace {

__global__ void nothing() {}

}  // namespace

void require_code_for_gpu() {
  cudaFuncAttributes attributes{};
  check(cudaFuncGetAttributes(&attributes, nothing), "looking for code that this GPU can run (CMAKE_CUDA_ARCHITECTURES of the build)");
}

}  // namespace onecard::cuda
