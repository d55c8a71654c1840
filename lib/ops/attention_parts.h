#pragma once
#include "lib/ops/expansion.h"

namespace onecard {

// What com.microsoft's attention operators have in common, as compositions. Letters: B batch, S new tokens, T all tokens, H heads,
// D head size.

// What is done to the scores q k^T before they weight v.
struct Scoring {
  float scale = 1;
  float softcap = 0;      // > 0: scores become softcap * tanh(scores / softcap)
  Value* bias = nullptr;  // added then; broadcastable to the scores
  Value* sink = nullptr;  // [B or 1, H, S, 1]: a score beside the others that weights nothing
};
struct Attended {
  Value* y = nullptr;
  Value* scores = nullptr;  // as they enter the softmax, and after it; only when asked for
  Value* weights = nullptr;
};
enum class Keeps : uint8_t { result, scores_too };

// y = softmax(scores) v over q[B,H,S,D], k[B,H,T,D], v[B,H,T,D']: one attention node unless something asks for its parts.
Attended attend(const Expansion& ex, Value* q, Value* k, Value* v, const Scoring& scoring, Keeps keeps);

// attribute `scale`, where 0 and absence mean 1 / sqrt(head_size).
float attention_scale(const OnnxNode& node, int64_t head_size);
// The last extent of x, which must be a number and divisible by `parts`, divided by it.
int64_t part_size(const Value* x, int64_t parts, std::string_view what);
int64_t needed_heads(const OnnxNode& node, std::string_view key);

// [B,S,H*D] -> [B,H,S,D] and back.
Value* split_heads(const Expansion& ex, Value* x, int64_t heads);
Value* merge_heads(const Expansion& ex, Value* x);

// A mask: 0 where `allowed` (boolean), `refused` elsewhere, in `dtype`.
Value* mask_from(const Expansion& ex, Value* allowed, DType dtype, double refused);
// allowed[S,T] of a causal attention: key t <= past + query s. `past`, `length`, `total`: i64 lists of one.
Value* causal(const Expansion& ex, Value* past, Value* length, Value* total);
// The least finite number of a float type: what a forbidden score becomes.
double lowest(DType dtype);
// a + b where both are there.
Value* added(const Expansion& ex, Value* a, Value* b);

// How positions are turned into angles: tables [positions, R/2], R <= D elements of every head are rotated, pairs (i, i + R/2) or (2i, 2i + 1).
enum class RotaryPairs : uint8_t { halves, interleaved };
struct Rotary {
  Value* cos = nullptr;
  Value* sin = nullptr;
  RotaryPairs pairs = RotaryPairs::halves;
  int64_t heads_axis = 2;  // of x: [B,S,H,D], or 1: [B,H,S,D]
};
// x rotated by the positions [B or 1, S] of its tokens.
Value* rotate(const Expansion& ex, Value* x, Value* positions, const Rotary& rotary);

}  // namespace onecard
