#pragma once
#include <map>
#include <memory>
#include <string>

#include "lib/plan/plan.h"

namespace onecard {

// Constants in the forms that kernels read, in device memory; each (constant, form) is made once and shared by all plans that name it.
class WeightStore {
 public:
  explicit WeightStore(Device& device) : device_(device) {}
  // The device address of a weight; loads, decodes and packs it the first time. A plain tensor already in host memory that the device can
  // read is used where it lies.
  void* get(const PlannedWeight& weight);
  // Forgets constants that nobody else holds: those folded for shapes whose plans are gone.
  void drop_unused();

 private:
  struct Held {
    ConstTensor tensor;                               // used in place
    std::shared_ptr<DeviceBuffer> buffer;
    void* data = nullptr;
  };
  Held make(const PlannedWeight& weight);
  Device& device_;
  std::map<std::pair<ConstTensor, std::string>, Held> held_;
};

}  // namespace onecard
