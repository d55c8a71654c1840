#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lib/device/kernel.h"

namespace onecard {

// Device memory, freed with the last holder.
class DeviceBuffer {
 public:
  virtual ~DeviceBuffer() = default;
  virtual void* data() const = 0;                     // a device pointer
  virtual int64_t bytes() const = 0;
};

// Where steps run. One queue in order; the CPU's queue is the calling thread.
class Device {
 public:
  virtual ~Device() = default;
  virtual std::string name() const = 0;               // "cpu", "cuda:0", "reference"
  virtual std::string description() const = 0;        // the processor, its features
  virtual bool host_memory() const = 0;               // tensors in host memory can be read by its steps as they are
  virtual int64_t memory_bytes() const = 0;           // of the device in all
  virtual int64_t reserve_bytes() const { return 0; } // context and library state that count against a memory limit
  virtual bool computes(DType t) const = 0;           // false: values of this type are widened to f32 before planning
  // Best first; the last one of a host device is the reference.
  virtual std::span<const std::unique_ptr<Kernel>> kernels() const = 0;
  // A step with one input and one output of `type` that changes the layout.
  virtual std::unique_ptr<Step> make_reorder(const TensorType& type, const Layout& from, const Layout& to) const = 0;

  virtual std::shared_ptr<DeviceBuffer> allocate(int64_t bytes) = 0;  // 64-byte aligned; does_not_fit when there is no more
  virtual void upload(void* to, const void* from, int64_t bytes) = 0;
  virtual void download(void* to, const void* from, int64_t bytes) = 0;
  virtual void copy(void* to, const void* from, int64_t bytes) = 0;   // within the device
  virtual void* queue() const { return nullptr; }
  virtual void synchronize() {}
};

}  // namespace onecard
