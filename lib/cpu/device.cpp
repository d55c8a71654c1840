#include "lib/cpu/device.h"

#include <fstream>

#include "lib/base/parallel.h"
#include "lib/cpu/kernels.h"
#include "lib/device/host_device.h"
#include "lib/device/reference_kernel.h"

namespace onecard {
namespace {

const char* isa_name() {
  using dnnl::cpu_isa;
  switch (dnnl::get_effective_cpu_isa()) {
    case cpu_isa::sse41: return "SSE4.1";
    case cpu_isa::avx: return "AVX";
    case cpu_isa::avx2: return "AVX2";
    case cpu_isa::avx2_vnni: return "AVX2-VNNI";
    case cpu_isa::avx2_vnni_2: return "AVX2-VNNI2";
    case cpu_isa::avx512_core: return "AVX512";
    case cpu_isa::avx512_core_vnni: return "AVX512-VNNI";
    case cpu_isa::avx512_core_bf16: return "AVX512-VNNI-BF16";
    case cpu_isa::avx512_core_fp16: return "AVX512-VNNI-BF16-FP16";
    case cpu_isa::avx512_core_amx: return "AVX512-VNNI-BF16-FP16-AMX";
    case cpu_isa::avx512_core_amx_fp16: return "AVX512-VNNI-BF16-FP16-AMX-FP16";
    default: return "baseline";
  }
}

// As the operating system names it; "cpu" where it does not.
std::string processor_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("model name")) continue;
    const size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "cpu";
}

class CpuDevice : public HostDevice {
 public:
  CpuDevice() : library_(std::make_shared<const OneDnn>()) {
#define KERNEL(name) kernels_.push_back(make_##name##_kernel(library_));
#include "lib/cpu/kernels.inc"
#undef KERNEL
    kernels_.push_back(make_reference_kernel());
  }
  std::string name() const override { return "cpu"; }
  std::string description() const override {
    return processor_name() + ", " + isa_name() + ", " + std::to_string(thread_count()) + (thread_count() == 1 ? " thread" : " threads");
  }
  // Half precision is storage here: without AMX it computes at half the speed of f32, or not at all.
  bool computes(DType t) const override { return t != DType::f16 && t != DType::bf16; }
  std::span<const std::unique_ptr<Kernel>> kernels() const override { return kernels_; }
  std::unique_ptr<Step> make_reorder(const TensorType& type, const Layout& from, const Layout& to) const override;

 private:
  OneDnnPtr library_;
  std::vector<std::unique_ptr<Kernel>> kernels_;
};

// `layout`'s descriptor, or the plain one under the extents of `other`: packed forms may name a tensor's axes differently.
dnnl::memory::desc side(const TensorType& type, const Layout& layout, const Layout& other) {
  if (layout || !other) return desc_of(type, layout);
  return plain_desc(desc_of(type, other).get_dims(), dnnl_type(type.dtype));
}

std::unique_ptr<Step> CpuDevice::make_reorder(const TensorType& type, const Layout& from, const Layout& to) const {
  if (!from && !to) return make_host_copy(type);      // oneDNN knows neither every element type nor empty tensors
  const dnnl::memory::desc source = side(type, from, to), target = side(type, to, from);
  auto step = std::make_unique<OneDnnStep>(library_, 1, 1);
  step->set(dnnl::reorder::primitive_desc(library_->engine, source, library_->engine, target, make_attr()));
  step->in(DNNL_ARG_FROM, source, 0);
  step->out(DNNL_ARG_TO, target, 0);
  step->finish();
  return step;
}

}  // namespace

std::unique_ptr<Device> make_cpu_device(int threads) {
  if (threads != thread_count()) set_threads(threads);
  return std::make_unique<CpuDevice>();
}

}  // namespace onecard
