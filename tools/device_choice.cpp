#include "tools/device_choice.h"

#include <charconv>

#include "lib/base/parallel.h"
#include "lib/cpu/device.h"
#include "lib/device/reference_kernel.h"
#ifdef ONECARD_CUDA
#include "cuda/device.h"
#endif

namespace onecard {

namespace {

#ifndef ONECARD_CUDA
constexpr const char* kWithoutCuda = "this onecard was built without CUDA (-DONECARD_CUDA=ON builds it in)";
#endif

// N of "cuda:N", 0 of "cuda".
int cuda_index(const std::string& word) {
  if (word == "cuda") return 0;
  int index = 0;
  const char* begin = word.data() + 5;
  const char* end = word.data() + word.size();
  const auto [rest, error] = std::from_chars(begin, end, index);
  require(error == std::errc() && rest == end && index >= 0, ErrorKind::usage, "--device ", word, ": a GPU is named cuda or cuda:N");
  return index;
}

std::unique_ptr<Device> make_cuda(const std::string& word) {
  const int index = cuda_index(word);
#ifdef ONECARD_CUDA
  return make_cuda_device(index);
#else
  fail(ErrorKind::no_device, "--device ", word, ": GPU ", index, " cannot be used: ", kWithoutCuda, "; use --device cpu");
#endif
}

}  // namespace

int gpu_count(std::string& why_none) {
#ifdef ONECARD_CUDA
  return cuda_device_count(why_none);
#else
  why_none = kWithoutCuda;
  return 0;
#endif
}

std::unique_ptr<Device> choose_device(const DeviceOptions& options, Output& output) {
  set_threads(options.threads);
  const std::string& word = options.device;
  if (word == "cpu") return make_cpu_device(thread_count());
  if (word == "reference") return make_reference_device();
  if (word == "cuda" || word.starts_with("cuda:")) return make_cuda(word);
  require(word == "auto", ErrorKind::usage, "--device ", word, ": the devices are auto, cpu, cuda, cuda:N and reference");
  std::string why_none;
  auto device = gpu_count(why_none) > 0 ? make_cuda("cuda") : make_cpu_device(thread_count());
  if (!why_none.empty()) output.detail("no GPU: " + why_none);
  output.say("device: " + device->name() + " (" + device->description() + ")");
  return device;
}

}  // namespace onecard
