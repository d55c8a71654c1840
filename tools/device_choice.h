#pragma once
#include <memory>

#include "lib/device/device.h"
#include "tools/output.h"

namespace onecard {

// Fixes the number of threads and makes the device that was asked for; `auto` says on stderr what it chose. Raises no_device (or usage for a
// word that names none).
std::unique_ptr<Device> choose_device(const DeviceOptions& options, Output& output);

// How many GPUs this process can use; with 0, the reason.
int gpu_count(std::string& why_none);

}  // namespace onecard
