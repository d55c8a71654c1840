#pragma once
#include <memory>

#include "lib/device/device.h"

namespace onecard {

// This machine's processor, through oneDNN and kernels of our own; works on so many threads (0: every core this process may use).
std::unique_ptr<Device> make_cpu_device(int threads);

}  // namespace onecard
