#pragma once
#include "lib/device/device.h"

namespace onecard {

// The memory half of a device whose memory is the process's own.
class HostDevice : public Device {
 public:
  bool host_memory() const override { return true; }
  int64_t memory_bytes() const override;
  std::shared_ptr<DeviceBuffer> allocate(int64_t bytes) override;
  void upload(void* to, const void* from, int64_t bytes) override { copy(to, from, bytes); }
  void download(void* to, const void* from, int64_t bytes) override { copy(to, from, bytes); }
  void copy(void* to, const void* from, int64_t bytes) override;
};

// A step that copies a tensor as it lies in host memory, whatever its type.
std::unique_ptr<Step> make_host_copy(const TensorType& type);

}  // namespace onecard
