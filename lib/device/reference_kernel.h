#pragma once
#include "lib/device/device.h"

namespace onecard {

// The kernel that runs any op by its definition, in host memory: the last resort of host devices.
std::unique_ptr<Kernel> make_reference_kernel();
// A host device that has no other kernel: the oracle.
std::unique_ptr<Device> make_reference_device();

}  // namespace onecard
