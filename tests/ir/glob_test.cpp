#include "lib/base/glob.h"

#include <gtest/gtest.h>

namespace onecard {
namespace {

TEST(Glob, StarsAndQuestionMarks) {
  EXPECT_TRUE(matches_glob("", ""));
  EXPECT_FALSE(matches_glob("", "a"));
  EXPECT_TRUE(matches_glob("*", ""));
  EXPECT_TRUE(matches_glob("a?c", "abc"));
  EXPECT_FALSE(matches_glob("a?c", "ac"));
  EXPECT_TRUE(matches_glob("/model/*/MatMul*", "/model/layers.0/attn/MatMul_1"));
  EXPECT_FALSE(matches_glob("/model/*/MatMul", "/model/layers.0/attn/MatMul_1"));
  EXPECT_TRUE(matches_glob("*ab*ab", "abxababab"));
  EXPECT_FALSE(matches_glob("*ab*ac", "abxababab"));
  EXPECT_FALSE(matches_glob("[a]", "a"));
}

}  // namespace
}  // namespace onecard
