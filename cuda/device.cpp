#include "cuda/device.h"

#include <algorithm>

#include "cuda/check.h"
#include "cuda/kernels.h"
#include "cuda/step.h"
#include "lib/ops/unary.h"

namespace onecard {
namespace cuda {
namespace {

// What a context with these kernels takes of a GPU's memory besides what is allocated here. Not measured yet: an upper estimate.
constexpr int64_t kContextBytes = int64_t{600} << 20;

class CudaBuffer : public DeviceBuffer {
 public:
  CudaBuffer(int device, void* data, int64_t bytes) : device_(device), data_(data), bytes_(bytes) {}
  ~CudaBuffer() override {  // may not raise; a failure here shows in the next call
    (void)cudaSetDevice(device_);
    (void)cudaFree(data_);
  }
  CudaBuffer(const CudaBuffer&) = delete;
  CudaBuffer& operator=(const CudaBuffer&) = delete;
  void* data() const override { return data_; }
  int64_t bytes() const override { return bytes_; }

 private:
  int device_;
  void* data_;
  int64_t bytes_;
};

class Stream {
 public:
  Stream() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream"); }
  ~Stream() { (void)cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

class CudaDevice : public Device {
 public:
  explicit CudaDevice(int index) : index_(index) {
    use();
    check(cudaGetDeviceProperties(&properties_, index), "asking for the GPU's properties");
    require_code_for_gpu();
    stream_ = std::make_unique<Stream>();
#define KERNEL(name) kernels_.push_back(make_##name##_kernel());
#include "cuda/kernels.inc"
#undef KERNEL
  }

  std::string name() const override { return "cuda:" + std::to_string(index_); }
  std::string description() const override {
    int driver = 0;
    check(cudaDriverGetVersion(&driver), "asking for the driver's version");
    return std::string(properties_.name) + ", sm_" + std::to_string(properties_.major) + std::to_string(properties_.minor) + ", " +
           std::to_string(memory_bytes() >> 20) + " MiB, driver for CUDA " + std::to_string(driver / 1000) + "." + std::to_string(driver % 1000 / 10);
  }
  bool host_memory() const override { return false; }
  int64_t memory_bytes() const override { return static_cast<int64_t>(properties_.totalGlobalMem); }
  int64_t reserve_bytes() const override { return kContextBytes; }
  bool computes(DType t) const override { return t != DType::f16 && t != DType::bf16; }
  std::span<const std::unique_ptr<Kernel>> kernels() const override { return kernels_; }
  std::unique_ptr<Step> make_reorder(const TensorType& type, const Layout& from, const Layout& to) const override;

  std::shared_ptr<DeviceBuffer> allocate(int64_t bytes) override;
  void upload(void* to, const void* from, int64_t bytes) override { transfer(to, from, bytes, cudaMemcpyHostToDevice, "copying to the GPU"); }
  void download(void* to, const void* from, int64_t bytes) override { transfer(to, from, bytes, cudaMemcpyDeviceToHost, "copying from the GPU"); }
  void copy(void* to, const void* from, int64_t bytes) override {
    if (bytes <= 0 || to == from) return;
    use();
    check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice, stream_->get()), "copying on the GPU");
  }
  void* queue() const override { return stream_->get(); }
  void synchronize() override {
    use();
    check(cudaStreamSynchronize(stream_->get()), "waiting for the GPU");
  }

 private:
  void use() const { check(cudaSetDevice(index_), "choosing the GPU"); }
  // Done when it returns: the host's memory may be changed or read at once.
  void transfer(void* to, const void* from, int64_t bytes, cudaMemcpyKind kind, const char* what) {
    if (bytes <= 0) return;
    use();
    check(cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), kind, stream_->get()), what);
    check(cudaStreamSynchronize(stream_->get()), what);
  }

  int index_;
  cudaDeviceProp properties_{};
  std::unique_ptr<Stream> stream_;
  std::vector<std::unique_ptr<Kernel>> kernels_;
};

std::shared_ptr<DeviceBuffer> CudaDevice::allocate(int64_t bytes) {
  require(bytes >= 0, ErrorKind::internal, "allocate: ", bytes, " bytes");
  use();
  void* data = nullptr;
  const cudaError_t status = cudaMalloc(&data, static_cast<size_t>(std::max<int64_t>(bytes, 1)));
  if (status == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();                         // it is remembered otherwise, and blamed on the next launch
    size_t free_bytes = 0, total_bytes = 0;
    check(cudaMemGetInfo(&free_bytes, &total_bytes), "asking for free memory");
    fail(ErrorKind::does_not_fit, name(), " needs ", bytes, " bytes more, it has ", free_bytes, " free of ", total_bytes);
  }
  check(status, "allocating memory");
  return std::make_shared<CudaBuffer>(index_, data, bytes);
}

std::unique_ptr<Step> CudaDevice::make_reorder(const TensorType& type, const Layout& from, const Layout& to) const {
  require(!from && !to, ErrorKind::internal, "the GPU knows plain layouts only");
  const auto bytes = static_cast<size_t>(type.bytes());
  const KernelQuery one_to_one{Unary(), {&type, 1}, {&type, 1}, {}, {}};
  return make_step(one_to_one, [bytes](const LaunchArgs& args) {
    if (bytes == 0) return;
    check(cudaMemcpyAsync(args.out[0], args.in[0], bytes, cudaMemcpyDeviceToDevice, static_cast<cudaStream_t>(args.queue)), "copying on the GPU");
  });
}

}  // namespace
}  // namespace cuda

int cuda_device_count(std::string& why_none) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count > 0) return count;
  (void)cudaGetLastError();
  why_none = status == cudaErrorInsufficientDriver ? "there is no NVIDIA driver, or one older than this program needs"
             : status == cudaSuccess || status == cudaErrorNoDevice ? "the NVIDIA driver shows no GPU"
                                                                    : std::string("the NVIDIA driver answers: ") + cudaGetErrorString(status);
  return 0;
}

std::unique_ptr<Device> make_cuda_device(int index) {
  std::string why_none;
  const int count = cuda_device_count(why_none);
  require(count > 0, ErrorKind::no_device, "no GPU: ", why_none, "; use --device cpu");
  require(index >= 0 && index < count, ErrorKind::no_device, "no GPU number ", index, ": there ", count == 1 ? "is " : "are ", count, ", counted from 0");
  return std::make_unique<cuda::CudaDevice>(index);
}

}  // namespace onecard
