#pragma once
#include <functional>
#include <optional>

namespace onecard {

// What pruning costs by the outputs of held-out samples, and where that is too much, how much the network survives.
struct Survival {
  double amount = 0, decibels = 0;     // zeros asked for, and signal to error of the best recipe with them
  size_t samples = 0;                  // held out
  bool survives = true;                // decibels >= kSurvives
  double most = 0, most_decibels = 0;  // the largest amount looked at that it survives; 0: none
};

// Signal to error, in dB, below which a network is said not to survive: the error then has more than a tenth of the outputs' power. Compressed
// networks measured on labelled tasks keep most of their accuracy above it (intent-bigru 100% at 12.2 dB, silero-vad 91.9% at 12.6) and lose it below
// (yolox-nano F1 62.9 at 7.2 dB); it says nothing of the last points.
constexpr double kSurvives = 10;

// Looks for the largest amount, in steps of one twentieth, with which `decibels` gives kSurvives or more, by halving what is left: at most five
// calls below an amount of 1.
void find_survived(Survival& survival, const std::function<double(double amount)>& decibels);

}  // namespace onecard
