#include "lib/device/host_device.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace onecard {
namespace {

constexpr int64_t kBufferAlignment = 64;
constexpr int64_t kHugePage = int64_t{2} << 20;

class HostBuffer : public DeviceBuffer {
 public:
  HostBuffer(void* data, int64_t bytes) : data_(data), bytes_(bytes) {}
  ~HostBuffer() override { std::free(data_); }
  HostBuffer(const HostBuffer&) = delete;
  HostBuffer& operator=(const HostBuffer&) = delete;
  void* data() const override { return data_; }
  int64_t bytes() const override { return bytes_; }

 private:
  void* data_;
  int64_t bytes_;
};

}  // namespace

int64_t HostDevice::memory_bytes() const { return int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGE_SIZE); }

std::shared_ptr<DeviceBuffer> HostDevice::allocate(int64_t bytes) {
  require(bytes >= 0, ErrorKind::internal, "allocate: ", bytes, " bytes");
  // The kernel overcommits: malloc alone would grant what the machine does not have.
  const int64_t have = memory_bytes();
  require(bytes <= have, ErrorKind::does_not_fit, "needs ", bytes, " bytes of memory, this machine has ", have);
  const bool huge = bytes >= 4 * kHugePage;
  const int64_t alignment = huge ? kHugePage : kBufferAlignment;
  const int64_t rounded = std::max<int64_t>((bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment, kBufferAlignment);
  void* data = nullptr;
  require(posix_memalign(&data, static_cast<size_t>(alignment), static_cast<size_t>(rounded)) == 0, ErrorKind::does_not_fit, "cannot allocate ",
          bytes, " bytes of memory");
  // Whole huge pages only: the rest must not grow beyond what was asked for. Failure costs speed alone.
  if (huge) (void)madvise(data, static_cast<size_t>(rounded / kHugePage * kHugePage), MADV_HUGEPAGE);
  return std::make_shared<HostBuffer>(data, bytes);
}

void HostDevice::copy(void* to, const void* from, int64_t bytes) {
  if (bytes > 0 && to != from) std::memmove(to, from, static_cast<size_t>(bytes));
}

namespace {

class HostCopy : public Step {
 public:
  explicit HostCopy(int64_t bytes) : bytes_(static_cast<size_t>(bytes)) {
    in_layouts.resize(1);
    out_layouts.resize(1);
    in_place = {{0, 0}};
  }
  void launch(const LaunchArgs& args) const override {
    if (bytes_ > 0 && args.out[0] != args.in[0]) std::memcpy(args.out[0], args.in[0], bytes_);
  }

 private:
  size_t bytes_;
};

}  // namespace

std::unique_ptr<Step> make_host_copy(const TensorType& type) { return std::make_unique<HostCopy>(type.bytes()); }

}  // namespace onecard
