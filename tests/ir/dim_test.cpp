#include <gtest/gtest.h>

#include "lib/base/error.h"
#include "lib/ir/dim.h"

namespace onecard {
namespace {

const Dim kB = Dim::symbol("batch"), kS = Dim::symbol("seq");

TEST(Dim, NumbersAreExact) {
  EXPECT_EQ(Dim(7) / Dim(2), Dim(3));
  EXPECT_EQ(Dim(-7) / Dim(2), Dim(-4));
  EXPECT_EQ(ceil_div(Dim(7), Dim(2)), Dim(4));
}

TEST(Dim, EqualSumsAreEqual) {
  EXPECT_EQ((kB + kS) * Dim(2), kS + kB + kB + kS);
  EXPECT_EQ((kB + Dim(1)) * (kB - Dim(1)), kB * kB - Dim(1));
  EXPECT_EQ(kB - kB, Dim(0));
  EXPECT_FALSE(kB == kS);
}

TEST(Dim, DivisionIsExactWhereItCanBe) {
  EXPECT_EQ(kB * Dim(768) / Dim(64), kB * Dim(12));
  EXPECT_EQ(kB * kS * Dim(4) / (kS * Dim(2)), kB * Dim(2));
  EXPECT_EQ((kS * Dim(2) + Dim(3)) / Dim(2), kS + Dim(1));
  const Dim half = (kS + Dim(1)) / Dim(2);
  EXPECT_EQ(half.text(), "floordiv(seq+1,2)");
  EXPECT_EQ(half.bind({{"seq", 8}}), Dim(4));
  EXPECT_EQ(half.bind({{"seq", 9}}), Dim(5));
}

TEST(Dim, TextReadsBack) {
  for (const Dim& d : {Dim(0), Dim(-3), kB, kB * Dim(2) + kS - Dim(5), (kB * kS + Dim(1)) / Dim(3) + Dim(2), Dim::unknown()}) EXPECT_EQ(Dim::parse(d.text()), d) << d.text();
}

TEST(Dim, UnknownAndOverflow) {
  EXPECT_TRUE((Dim::unknown() + Dim(1)).is_unknown());
  EXPECT_EQ(Dim::unknown() * Dim(0), Dim(0));
  EXPECT_TRUE((Dim(INT64_MAX) + Dim(1)).is_unknown());
  EXPECT_TRUE((kB / Dim(0)).is_unknown());
  EXPECT_TRUE((Dim(INT64_MIN) / Dim(-1)).is_unknown());
  EXPECT_TRUE((kB * Dim(INT64_MIN) / (kB * Dim(-1))).is_unknown());
  EXPECT_EQ(Dim(7) / Dim(-1), Dim(-7));
  EXPECT_FALSE(same_size(Dim::unknown(), Dim::unknown()));
}

TEST(Dim, HostileTextIsRefused) {
  for (const char* text : {"", "1+", "floordiv(1", "99999999999999999999", "((((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))))", "a b"})
    EXPECT_THROW(Dim::parse(text), Error) << text;
}

TEST(Dim, WhatGrowsWithoutBoundBecomesUnknown) {
  Dim square = Dim::symbol("n"), half = Dim::symbol("n");
  for (int i = 0; i < 64; ++i) {
    square = square * square;
    half = (half + Dim(1)) / Dim(2);
    EXPECT_LT(square.text().size() + half.text().size(), 4096u) << i;
    half.bind({{"n", 7}});
  }
  EXPECT_TRUE(square.is_unknown());
  EXPECT_TRUE(half.is_unknown());
}

TEST(Dim, SymbolsAreMadeLegal) {
  EXPECT_EQ(Dim::symbol("past seq/1").text(), "past_seq_1");
  EXPECT_EQ(Dim::symbol("0x").text(), "_0x");
}

TEST(Dim, DeepDivisionsReadBackOrAreUnknown) {
  Dim d = Dim::symbol("n");
  for (int i = 0; i < 100; ++i) {
    d = (d + Dim(1)) / (Dim::symbol("k") + Dim(2));
    EXPECT_EQ(Dim::parse(d.text()), d);
  }
  EXPECT_TRUE(d.is_unknown());
}

}  // namespace
}  // namespace onecard
