#pragma once
#include <functional>
#include <optional>

namespace onecard {

// What pruning costs by the outputs of held-out samples, and where that is too much, how much the network survives.
struct Survival {
  double amount = 0, decibels = 0;  // zeros asked for, and signal to error of the best recipe with them
  size_t samples = 0;               // held out
  bool survives = true;             // decibels >= kSurvives
  double most = 0, most_decibels = 0;  // the largest amount looked at that it survives; 0: none
};

// Signal to error, in dB, below which a network is said not to survive. Of 17 labelled tasks pruned by 30, 50 and 70% those above lost … (docs/compression.md)
constexpr double kSurvives = 10;

// Looks for the largest amount, in steps of one twentieth, with which `decibels` gives kSurvives or more, by halving what is left: at most five
// calls below an amount of 1.
void find_survived(Survival& survival, const std::function<double(double amount)>& decibels);

}  // namespace onecard
