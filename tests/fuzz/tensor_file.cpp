// Files of samples; the first byte chooses the kind.
#include "lib/runtime/data/npy.h"
#include "lib/runtime/data/tensor_pb.h"
#include "tests/fuzz/hostile.h"

using namespace onecard;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const ScratchFolder folder;
  if (size == 0) return 0;
  const std::span<const uint8_t> rest(data + 1, size - 1);
  switch (data[0] % 5) {
    case 0: refusing([&] { write_npy(read_npy(std::as_bytes(rest))); }); break;
    case 1: refusing([&] { read_npz(folder.write("arrays.npz", rest)); }); break;
    case 2: refusing([&] { read_tensor_pb(folder.write("tensor.pb", rest), Container::tensor); }); break;
    case 3: refusing([&] { read_tensor_pb(folder.write("tensor.pb", rest), Container::sequence); }); break;
    default: refusing([&] { read_tensor_pb(folder.write("tensor.pb", rest), Container::optional_sequence); });
  }
  return 0;
}
