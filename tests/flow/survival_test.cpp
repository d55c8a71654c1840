#include "lib/flow/compression/survival.h"

#include <gtest/gtest.h>

namespace onecard {
namespace {

// Decibels fall by so many over all amounts; how many were asked for.
int looked_at(Survival& s, double slope, double start) {
  int calls = 0;
  find_survived(s, [&](double amount) {
    ++calls;
    EXPECT_GT(amount, 0);
    EXPECT_LT(amount, s.amount);
    return start - slope * amount;
  });
  return calls;
}

TEST(Survival, TheLargestAmountInTwentiethsIsFound) {
  for (const double slope : {25.0, 40.0, 90.0, 200.0, 399.0}) {
    Survival s;
    s.amount = 0.95;
    EXPECT_LE(looked_at(s, slope, kSurvives + 20), 5);
    EXPECT_GE(kSurvives + 20 - slope * s.most, kSurvives - 1e-9) << slope;
    EXPECT_LT(kSurvives + 20 - slope * (s.most + 0.05), kSurvives + (s.most + 0.05 >= s.amount ? 100 : 0)) << slope;
    EXPECT_NEAR(s.most_decibels, kSurvives + 20 - slope * s.most, 1e-9);
  }
}

TEST(Survival, NothingIsFoundWhereNothingSurvivesAndNothingIsLookedAtBelowTheLeastStep) {
  Survival s;
  s.amount = 0.5;
  looked_at(s, 0, kSurvives - 1);
  EXPECT_EQ(s.most, 0);
  s.amount = 0.04;
  EXPECT_EQ(looked_at(s, 0, kSurvives - 1), 0);
}

}  // namespace
}  // namespace onecard
