#pragma once
#include <memory>

#include "lib/cpu/onednn.h"

namespace onecard {

// One maker per row of kernels.inc, defined in the kernel's own file.
#define KERNEL(name) std::unique_ptr<Kernel> make_##name##_kernel(const OneDnnPtr& library);
#include "lib/cpu/kernels.inc"
#undef KERNEL

}  // namespace onecard
