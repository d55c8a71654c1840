#include <gtest/gtest.h>

#include <filesystem>

#include "lib/runtime/data/npy.h"

namespace onecard {
namespace {

TEST(Npz, ReadsBackWhatItWrites) {
  const Path file = std::filesystem::temp_directory_path() / ("onecard-npz-test-" + std::to_string(::getpid()) + ".npz");
  const Tensor a = Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6}), b = Tensor::of<int64_t>({}, {-7}), c = Tensor::strings({2}, {"x", "häh"}), d = Tensor(DType::boolean, {0, 4});
  write_npz(file, {{"a", &a}, {"b", &b}, {"c", &c}, {"d", &d}});
  const auto back = read_npz(file);
  std::filesystem::remove(file);
  ASSERT_EQ(back.size(), 4u);
  EXPECT_EQ(back[1].first, "b");
  EXPECT_TRUE(identical(back[0].second, a));
  EXPECT_TRUE(identical(back[1].second, b));
  EXPECT_TRUE(identical(back[2].second, c));
  EXPECT_TRUE(identical(back[3].second, d));
}

// numpy.savez_compressed: deflated entries with ZIP64 fields.
TEST(Npz, ReadsDeflatedEntries) {
  for (const char* name : {"held_out.npz", "calibration.npz"}) {
    const auto arrays = read_npz(Path(ONECARD_SOURCE) / "samples/quickstart" / name);
    ASSERT_EQ(arrays.size(), 1u);
    EXPECT_EQ(arrays[0].first, "image");
    EXPECT_EQ(arrays[0].second.rank(), 4);
  }
}

// An .npy file of version 1.0 with this dictionary and no data.
std::vector<std::byte> npy_of(const std::string& dictionary) {
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(dictionary.size());
  file += '\0';
  file += dictionary;
  const auto bytes = std::as_bytes(std::span(file));
  return {bytes.begin(), bytes.end()};
}

TEST(Npy, HostileHeadersAreRefused) {
  for (const char* text : {"{'descr': '', 'fortran_order': False, 'shape': (1,)}", "{'descr': '<U0', 'fortran_order': False, 'shape': (1099511627776,)}",
                           "{'descr': '>f4', 'fortran_order': False, 'shape': (0,)}", "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}"})
    EXPECT_THROW(read_npy(npy_of(text)), Error) << text;
}

TEST(Npy, BooleansAreZeroOrOne) {
  auto bytes = write_npy(Tensor::of<bool>({2}, {true, false}));
  bytes[bytes.size() - 2] = std::byte{7};
  const Tensor t = read_npy(bytes);
  EXPECT_EQ(t.raw()[0], std::byte{1});
}

TEST(Npz, DamageIsRefused) {
  const std::string good = read_text(Path(ONECARD_SOURCE) / "samples/quickstart/calibration.npz");
  const Path file = std::filesystem::temp_directory_path() / ("onecard-npz-damaged-" + std::to_string(::getpid()) + ".npz");
  for (const size_t length : {size_t{0}, size_t{21}, good.size() / 2, good.size() - 1}) {
    write_text(file, good.substr(0, length));
    EXPECT_THROW(read_npz(file), Error) << length;
  }
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace onecard
