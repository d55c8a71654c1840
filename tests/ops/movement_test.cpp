// Ops that move elements, for every way elements are stored.
#include <algorithm>
#include <gtest/gtest.h>

#include "lib/ops/data_ops.h"
#include "lib/ops/shape_ops.h"
#include "lib/ops/tile.h"

namespace onecard {
namespace {

// A tensor whose elements number themselves, as far as the type can count.
Tensor counted(DType dtype, const Dims& dims) {
  Tensor t(dtype, dims);
  const int64_t wrap = dtype == DType::boolean ? 2 : int64_t{1} << std::clamp(info(dtype).bits - 1, 0, 20);  // strings have no bits
  for (int64_t i = 0; i < t.elements(); ++i) {
    if (dtype == DType::string) t.text()[static_cast<size_t>(i)] = std::to_string(i);
    else if (info(dtype).kind == DKind::complex) reinterpret_cast<float*>(t.raw())[i * info(dtype).bits / 32] = static_cast<float>(i);
    else t.set_int(i, i % wrap);
  }
  return t;
}

const std::vector<DType> kEveryStorage{DType::f32, DType::f16, DType::f64, DType::i8, DType::boolean, DType::i4, DType::u4, DType::u2, DType::f4e2m1, DType::string, DType::c64, DType::c128};

Tensor only(std::vector<Tensor> t) { return std::move(t.at(0)); }

TEST(Movement, TransposeTwiceIsNothing) {
  for (const DType t : kEveryStorage) {
    Transpose there, back;
    there.perm = {2, 0, 1};
    back.perm = {1, 2, 0};
    const Tensor x = counted(t, {3, 5, 7});
    const Tensor y = only(evaluate(there, {&x}));
    EXPECT_EQ(y.dims(), (Dims{7, 3, 5}));
    EXPECT_TRUE(identical(only(evaluate(back, {&y})), x)) << info(t).name;
  }
}

TEST(Movement, ConcatOfSlicesIsWhole) {
  for (const DType t : kEveryStorage) {
    const Tensor x = counted(t, {3, 5});
    const auto part = [&](int64_t from, int64_t to) {
      const Tensor a = Tensor::of<int64_t>({1}, {from}), b = Tensor::of<int64_t>({1}, {to}), axis = Tensor::of<int64_t>({1}, {1});
      return only(evaluate(Slice{}, {&x, &a, &b, &axis}));
    };
    const Tensor left = part(0, 2), none = part(2, 2), right = part(2, INT64_MAX);
    Concat concat;
    concat.axis = -1;
    EXPECT_TRUE(identical(only(evaluate(concat, {&left, &none, &right})), x)) << info(t).name;
  }
}

TEST(Movement, PadAndCutIsNothing) {
  for (const DType t : kEveryStorage) {
    const Tensor x = counted(t, {3, 5});
    const Tensor more = Tensor::of<int64_t>({4}, {1, 2, 0, 3}), less = Tensor::of<int64_t>({4}, {-1, -2, 0, -3});
    for (const PadMode mode : {PadMode::constant, PadMode::edge, PadMode::reflect, PadMode::wrap}) {
      Pad pad;
      pad.mode = mode;
      const Tensor y = only(evaluate(pad, {&x, &more}));
      EXPECT_EQ(y.dims(), (Dims{4, 10}));
      EXPECT_TRUE(identical(only(evaluate(pad, {&y, &less})), x)) << info(t).name;
    }
  }
}

TEST(Movement, ReversedTwiceIsNothing) {
  const Tensor x = counted(DType::i4, {7}), start = Tensor::of<int64_t>({1}, {-1}), end = Tensor::of<int64_t>({1}, {INT64_MIN}), axis = Tensor::of<int64_t>({1}, {0}),
               step = Tensor::of<int64_t>({1}, {-1});
  const Tensor y = only(evaluate(Slice{}, {&x, &start, &end, &axis, &step}));
  EXPECT_EQ(y.int_at(0), x.int_at(6));
  EXPECT_TRUE(identical(only(evaluate(Slice{}, {&y, &start, &end, &axis, &step})), x));
}

TEST(Movement, EmptyAndScalarTensors) {
  const Tensor empty(DType::f32, {2, 0, 3}), scalar = Tensor::scalar(4.0f);
  EXPECT_EQ(only(evaluate(Transpose{}, {&empty})).dims(), (Dims{3, 0, 2}));
  EXPECT_EQ(only(evaluate(Transpose{}, {&scalar})).data<float>()[0], 4.0f);
  const Tensor repeats = Tensor::of<int64_t>({3}, {2, 2, 0});
  EXPECT_EQ(only(evaluate(Tile{}, {&empty, &repeats})).dims(), (Dims{4, 0, 0}));
}

TEST(Movement, HostileNumbersAreRefused) {
  const Tensor x = counted(DType::f32, {4});
  const Tensor far = Tensor::of<int64_t>({1}, {int64_t{1} << 61}), nothing = Tensor::of<int64_t>({1}, {INT64_MIN}), pads = Tensor::of<int64_t>({2}, {INT64_MIN, INT64_MAX});
  EXPECT_THROW(evaluate(Tile{}, {&x, &far}), Error);
  EXPECT_THROW(evaluate(Expand{}, {&x, &far}), Error);
  EXPECT_THROW(evaluate(Gather{}, {&x, &far}), Error);
  EXPECT_THROW(evaluate(Gather{}, {&x, &nothing}), Error);
  EXPECT_THROW(evaluate(Pad{}, {&x, &pads}), Error);
  EXPECT_THROW(evaluate(Reshape{}, {&x, &nothing}), Error);
}

}  // namespace
}  // namespace onecard
