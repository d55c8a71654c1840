#pragma once
#include <memory>
#include <string>

#include "lib/device/device.h"

namespace onecard {

// How many GPUs this process can use; 0 with the reason in `why_none` (no driver, no GPU). Never raises: the driver is looked for when asked.
int cuda_device_count(std::string& why_none);

// GPU number `index` of those that the driver shows. Raises no_device when there is none.
std::unique_ptr<Device> make_cuda_device(int index);

}  // namespace onecard
