#include "lib/flow/compression/survival.h"

#include <cmath>

namespace onecard {

namespace {

constexpr int kSteps = 20;  // amounts looked at lie 1 / kSteps apart

}  // namespace

void find_survived(Survival& survival, const std::function<double(double amount)>& decibels) {
  int survived = 0, too_much = static_cast<int>(std::ceil(survival.amount * kSteps - 1e-9));
  while (too_much - survived > 1) {
    const int middle = (survived + too_much) / 2;
    const double amount = static_cast<double>(middle) / kSteps, db = decibels(amount);
    if (db < kSurvives) {
      too_much = middle;
      continue;
    }
    survived = middle;
    survival.most = amount;
    survival.most_decibels = db;
  }
}

}  // namespace onecard
