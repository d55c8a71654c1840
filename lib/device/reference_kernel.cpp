#include "lib/device/reference_kernel.h"

#include <cstring>

#include "lib/device/host_device.h"

namespace onecard {
namespace {

// Runs op.reference on views of the caller's memory.
class ReferenceStep : public Step {
 public:
  explicit ReferenceStep(const KernelQuery& q) : op_(q.op.clone()), in_types_(q.in.begin(), q.in.end()), out_types_(q.out.begin(), q.out.end()) {
    in_layouts.resize(q.in.size());
    out_layouts.resize(q.out.size());
  }

  void launch(const LaunchArgs& args) const override {
    std::vector<Tensor> in(in_types_.size()), out(out_types_.size());
    std::vector<const Tensor*> in_pointers(in_types_.size(), nullptr);
    for (size_t i = 0; i < in.size(); ++i) {
      if (in_types_[i].container == Container::none) continue;
      in[i] = Tensor::view(in_types_[i], args.in[i]);
      in_pointers[i] = &in[i];
    }
    for (size_t i = 0; i < out.size(); ++i) {
      if (out_types_[i].container == Container::none) continue;
      out[i] = args.out[i] ? Tensor::view(out_types_[i], args.out[i]) : Tensor(out_types_[i]);
    }
    op_->reference(in_pointers, out);
    for (size_t i = 0; i < out.size(); ++i)
      if (args.out[i]) keep(out[i], out_types_[i], args.out[i]);
  }

 private:
  // An op may assign a new tensor to its output instead of filling the one it was given.
  void keep(const Tensor& made, const TensorType& type, void* to) const {
    const int64_t bytes = type.bytes();
    if (bytes == 0 || made.raw() == static_cast<const std::byte*>(to)) return;
    require(made.bytes() == bytes, ErrorKind::internal, op_->name(), ": reference made ", made.type(), ", planned ", type);
    std::memcpy(to, made.raw(), static_cast<size_t>(bytes));
  }

  std::unique_ptr<Op> op_;
  std::vector<TensorType> in_types_, out_types_;
};

class ReferenceKernel : public Kernel {
 public:
  std::string_view name() const override { return "reference"; }
  Support supports(const KernelQuery& q) const override {
    for (const auto& types : {q.in, q.out})
      for (const TensorType& t : types) {
        if (t.container == Container::none) continue;
        if (!t.is_static()) return no("needs static tensors, got " + t.text());
        if (t.dtype == DType::string) return no("strings are not planned");
      }
    return yes();
  }
  std::unique_ptr<Step> prepare(const KernelQuery& q) const override { return std::make_unique<ReferenceStep>(q); }
};

class ReferenceDevice : public HostDevice {
 public:
  ReferenceDevice() { kernels_.push_back(make_reference_kernel()); }
  std::string name() const override { return "reference"; }
  std::string description() const override { return "the definitions of the operators"; }
  bool computes(DType) const override { return true; }
  std::span<const std::unique_ptr<Kernel>> kernels() const override { return kernels_; }
  std::unique_ptr<Step> make_reorder(const TensorType& type, const Layout& from, const Layout& to) const override {
    require(!from && !to, ErrorKind::internal, "the reference device knows plain layouts only");
    return make_host_copy(type);
  }

 private:
  std::vector<std::unique_ptr<Kernel>> kernels_;
};

}  // namespace

std::unique_ptr<Kernel> make_reference_kernel() { return std::make_unique<ReferenceKernel>(); }
std::unique_ptr<Device> make_reference_device() { return std::make_unique<ReferenceDevice>(); }

}  // namespace onecard
