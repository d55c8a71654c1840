#pragma once
#include <memory>

#include "lib/device/kernel.h"

namespace onecard::cuda {

// One maker per row of kernels.inc, defined in the kernel's own file.
#define KERNEL(name) std::unique_ptr<Kernel> make_##name##_kernel();
#include "cuda/kernels.inc"
#undef KERNEL

// Raises no_device when this program holds no code that the current GPU can run.
void require_code_for_gpu();

}  // namespace onecard::cuda
