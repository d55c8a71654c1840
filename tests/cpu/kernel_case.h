#pragma once
#include <memory>
#include <string>
#include <vector>

#include "lib/device/host_device.h"

namespace onecard {

// Some of the CPU's kernels alone, so that they are tested where others would come first.
class KernelsAlone : public HostDevice {
 public:
  explicit KernelsAlone(std::vector<std::unique_ptr<Kernel>> kernels);
  std::string name() const override { return "kernels alone"; }
  std::string description() const override { return "kernels alone"; }
  bool computes(DType) const override { return true; }
  std::span<const std::unique_ptr<Kernel>> kernels() const override { return kernels_; }
  std::unique_ptr<Step> make_reorder(const TensorType& type, const Layout& from, const Layout& to) const override {
    return cpu_->make_reorder(type, from, to);
  }

 private:
  std::unique_ptr<Device> cpu_;
  std::vector<std::unique_ptr<Kernel>> kernels_;
};
template <class... K>
std::vector<std::unique_ptr<Kernel>> kernel_list(K... kernels) {
  std::vector<std::unique_ptr<Kernel>> list;
  (list.push_back(std::move(kernels)), ...);
  return list;
}

// Which layouts the inputs of a case are said to have before the kernel is asked.
enum class Given { plain, blocked, channels_last };

// Signed random data; for integers the ends of their range and 0 alone: where sums that saturate would show; or constants of which more than half
// is 0, the first two rows whole.
enum class Values { random, extreme, sparse };

struct CaseResult {
  std::string kernel;                // the first one of the device that took the node
  std::vector<std::string> why_not;  // of the others before it
  std::string in_layouts, out_layouts;
  std::string mismatch;  // empty: every run equalled the reference
  bool exact = true;     // to the last bit
};

// Runs the only node of a graph on the device and by its definition, on the data asked for. Graph inputs whose names start with 'k' are
// handed to the kernel as constants, deferred while it plans. Every way to run it is tried: separate buffers and each pair in place. Buffers
// have guards around them.
CaseResult run_kernel_case(Device& device, const std::string& graph_text, Given given, uint32_t seed, Values values = Values::random);

}  // namespace onecard
