// What is made of measured figures: verdicts in words, and when runs were timed often enough.
#include <gtest/gtest.h>

#include "lib/flow/diff_accuracy.h"
#include "lib/flow/run_times.h"

namespace onecard {
namespace {

std::string verdict(double cosine, double least) {
  DiffResult result;
  result.outputs.push_back({"y", "", {}, {}, 0, 0});
  result.outputs[0].worst.cosine = cosine;
  Gates gates;
  gates.min_cosine = least;
  return judge(result, gates).at(0).message;
}

TEST(Gates, AreToldWithTheDigitsThatTheVerdictTakes) {
  EXPECT_EQ(verdict(0.99998, 0.999), "0.99998 keeps at least 0.999");
  EXPECT_EQ(verdict(0.99999985, 0.9999999), "0.99999985 breaks at least 0.9999999");
  EXPECT_EQ(verdict(0.99999954, 0.9999996), "0.9999995 breaks at least 0.9999996");
  EXPECT_EQ(verdict(1, 0.9999999), "1 keeps at least 0.9999999");
  EXPECT_EQ(verdict(0.5, 0.5), "0.5 keeps at least 0.5");
  EXPECT_EQ(verdict(0.5, 1e-310).substr(0, 22), "0.5 keeps at least 1e-");
}

TEST(RunTimes, RoundsEndWhenTheyShowPlainlyWhichIsFaster) {
  EXPECT_FALSE(shows_plainly({}, {}));
  EXPECT_TRUE(shows_plainly({0.050}, {0.012}));
  EXPECT_TRUE(shows_plainly({0.012}, {0.050}));
  EXPECT_FALSE(shows_plainly({0.050}, {0.030}));  // one round, and not twice and a half
  EXPECT_FALSE(shows_plainly({0.001}, {0.009}));  // a turn of the machine
  EXPECT_TRUE(shows_plainly({0.050, 0.055}, {0.030, 0.031}));
  EXPECT_FALSE(shows_plainly({0.050, 0.040}, {0.030, 0.031}));  // runs that are alike
  EXPECT_FALSE(shows_plainly({0.005, 0.005}, {0.001, 0.001}));  // too short altogether
}

}  // namespace
}  // namespace onecard
