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
  fail(ErrorKind::no_device, "--device ", word, ": GPU ", index, " cannot be used, this onecard was built without CUDA; configure with -DONECARD_CUDA=ON, or use --device cpu");
#endif
}

std::unique_ptr<Device> choose_best([[maybe_unused]] Output& output) {
#ifdef ONECARD_CUDA
  try {
    return make_cuda_device(0);
  } catch (const Error& e) {                          // the one question whose "no" arrives as an error
    if (e.kind != ErrorKind::no_device) throw;
    output.detail(std::string("no GPU: ") + e.what());
  }
#endif
  return make_cpu_device(thread_count());
}

}  // namespace

std::unique_ptr<Device> choose_device(const DeviceOptions& options, Output& output) {
  set_threads(options.threads);
  const std::string& word = options.device;
  if (word == "cpu") return make_cpu_device(thread_count());
  if (word == "reference") return make_reference_device();
  if (word == "cuda" || word.starts_with("cuda:")) return make_cuda(word);
  require(word == "auto", ErrorKind::usage, "--device ", word, ": the devices are auto, cpu, cuda, cuda:N and reference");
  auto device = choose_best(output);
  output.say("device: " + device->name() + " (" + device->description() + ", " + std::to_string(thread_count()) + " threads)");
  return device;
}

}  // namespace onecard
