#pragma once
#include <cstdint>

namespace onecard {

// One step of n hidden units of an LSTM: `gates` holds the sums of i, o, f and c, n each. Updates c, writes h.
void lstm_gates(const float* gates, int64_t n, float* c, float* h);
// `gates` holds the sums of z and r, n each: kept = sigmoid(r) * h.
void gru_reset(const float* gates, int64_t n, const float* h, float* kept);
// `gates` holds the sums of z, r and h, n each; `linear`, when not null, is added to that of h times sigmoid(r). Updates h.
void gru_update(const float* gates, int64_t n, const float* linear, float* h);

}  // namespace onecard
