#pragma once
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/device/layout.h"
#include "lib/ir/graph.h"

namespace onecard {

// Whether a kernel can run a node, and if not, why. The reason ends up in the report.
struct Support {
  std::string why_not;
  explicit operator bool() const { return why_not.empty(); }
};
inline Support yes() { return {}; }
inline Support no(std::string reason) { return {std::move(reason)}; }

// One node as a kernel sees it: all types static. `constants` are null for inputs that are not constant and may be deferred:
// ask materialize() for the bytes, in a pack function only (planning must not touch weights); small ones (<= 64 KiB) are resident.
struct KernelQuery {
  const Op& op;
  std::span<const TensorType> in, out;                // container none: absent input
  std::span<const ConstTensor> constants;
  std::span<const Layout> in_layouts;                 // of what is there now; a kernel may ask for others
  int threads = 1;
  template <class O>
  const O& as() const { return static_cast<const O&>(op); }
  bool has(size_t i) const { return i < in.size() && in[i].container != Container::none; }
};

// A constant as a step wants it in device memory: equal (constant, key) are packed once and shared by all steps and plans.
struct PackedWeight {
  size_t input = 0;                                   // which input of the node
  std::string key;                                    // names the form: "plain", "OIhw16i16o f32"
  int64_t bytes = 0;
  // Writes the packed form; null: the tensor's plain bytes. On a CUDA device it runs on the host, into staging.
  std::function<void(const Tensor& plain, void* packed)> pack;
};

// What a launch gets. Null where the step said it needs nothing there.
struct LaunchArgs {
  std::span<const void* const> in;                    // one per node input; for inputs taken as packed weights: the packed bytes
  std::span<void* const> out;
  void* workspace = nullptr;
  void* queue = nullptr;                              // cudaStream_t on a GPU, null on the CPU
};

// A node made ready for one device and static shapes. launch() allocates nothing and is called again and again, by one thread at a time.
class Step {
 public:
  virtual ~Step() = default;
  virtual void launch(const LaunchArgs& args) const = 0;

  std::vector<Layout> in_layouts, out_layouts;        // one per input and output
  std::vector<PackedWeight> weights;                  // constant inputs not listed here are given plain
  int64_t workspace_bytes = 0;
  std::vector<std::pair<size_t, size_t>> in_place;    // (output, input): the output may overwrite this input
  int view_of = -1;                                   // >= 0: output 0 is that input's bytes unchanged; nothing is launched
  double flops = 0;                                   // for reports; 0: not said
};

// A node's step, or why the kernel cannot run it.
struct Attempt {
  Support support;
  std::unique_ptr<Step> step;
};

// One way to run one op on one device.
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual std::string_view name() const = 0;          // "onednn.conv"
  virtual Support supports(const KernelQuery& q) const = 0;
  virtual std::unique_ptr<Step> prepare(const KernelQuery& q) const = 0;
  // Both at once, for kernels that know only once they have built.
  virtual Attempt attempt(const KernelQuery& q) const {
    Support s = supports(q);
    if (!s) return {std::move(s), nullptr};
    return {yes(), prepare(q)};
  }
};

// A kernel written as two functions over the op's own type; one per kernel file, listed in the device's kernels.inc.
template <class O, Support (*Supports)(const O&, const KernelQuery&), std::unique_ptr<Step> (*Prepare)(const O&, const KernelQuery&)>
class KernelFor : public Kernel {
 public:
  explicit KernelFor(std::string_view name) : name_(name) {}
  std::string_view name() const override { return name_; }
  Support supports(const KernelQuery& q) const override {
    const auto* op = dynamic_cast<const O*>(&q.op);
    return op ? Supports(*op, q) : no("other op");
  }
  std::unique_ptr<Step> prepare(const KernelQuery& q) const override { return Prepare(static_cast<const O&>(q.op), q); }

 private:
  std::string_view name_;
};

}  // namespace onecard
