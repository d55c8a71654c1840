#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "lib/ir/tensor.h"

namespace onecard {
namespace {

TEST(Half, EveryFiniteValueReadsBack) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float v = half_to_float(static_cast<uint16_t>(bits));
    if (std::isnan(v)) continue;
    EXPECT_EQ(float_to_half(v), bits);
  }
}

TEST(Half, RoundsToNearestEven) {
  EXPECT_EQ(float_to_half(1.0f + 0x1p-11f), 0x3c00);       // half way: to even
  EXPECT_EQ(float_to_half(1.0f + 3 * 0x1p-11f), 0x3c02);
  EXPECT_EQ(float_to_half(65519.0f), 0x7bff);
  EXPECT_EQ(float_to_half(65520.0f), 0x7c00);
  EXPECT_EQ(float_to_half(0x1p-25f), 0);
  EXPECT_EQ(float_to_half(0x1.8p-25f), 1);
}

TEST(SmallFloats, EveryValueReadsBack) {
  for (const DType t : {DType::f8e4m3, DType::f8e4m3uz, DType::f8e5m2, DType::f8e5m2uz, DType::f8e8m0, DType::f4e2m1}) {
    const int count = 1 << info(t).bits;
    for (int bits = 0; bits < count; ++bits) {
      const float v = small_float_to_float(t, static_cast<uint8_t>(bits));
      if (std::isnan(v) || std::isinf(v)) continue;
      EXPECT_EQ(float_to_small_float(t, v), bits) << info(t).name << " " << v;
    }
  }
}

TEST(SmallFloats, SaturateOrNot) {
  EXPECT_EQ(small_float_to_float(DType::f8e4m3, float_to_small_float(DType::f8e4m3, 1e9f)), 448.0f);
  EXPECT_TRUE(std::isnan(small_float_to_float(DType::f8e4m3, float_to_small_float(DType::f8e4m3, 1e9f, false))));
  EXPECT_TRUE(std::isinf(small_float_to_float(DType::f8e5m2, float_to_small_float(DType::f8e5m2, 1e9f, false))));
}

TEST(Tensor, PackedElements) {
  Tensor t(DType::i4, {5});
  EXPECT_EQ(t.bytes(), 3);
  for (int i = 0; i < 5; ++i) t.set_int(i, i - 3);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(t.int_at(i), i - 3);
}

TEST(Tensor, HostileSizesAreRefused) {
  EXPECT_THROW(element_count({int64_t{1} << 40, int64_t{1} << 40}), Error);
  EXPECT_THROW(element_count({-1}), Error);
  EXPECT_EQ(element_count({0, int64_t{1} << 62, 4}), 0);
  EXPECT_THROW(Tensor(DType::f32, {int64_t{1} << 50}), Error);
}

TEST(Tensor, DeferredLoadsOnce) {
  struct Source : TensorSource {
    void load(std::span<std::byte> into) const override { std::fill(into.begin(), into.end(), std::byte{1}); }
    std::string text() const override { return "test"; }
  };
  auto t = std::make_shared<const Tensor>(Tensor::deferred(TensorType(DType::u8, Shape{3}), std::make_shared<Source>()));
  EXPECT_THROW((void)t->raw(), Error);
  EXPECT_EQ(to_ints(*materialize(t)), (std::vector<int64_t>{1, 1, 1}));
}

TEST(Tensor, ConvertIsExactForIntegers) {
  const Tensor t = Tensor::of<int64_t>({2}, {INT64_MAX, -1});
  EXPECT_EQ(convert(t, DType::u64).int_at(0), INT64_MAX);
  EXPECT_EQ(convert(t, DType::i8).int_at(1), -1);
}

}  // namespace
}  // namespace onecard
