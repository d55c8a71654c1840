#pragma once
#include <algorithm>

#include "lib/cpu/plain_step.h"
#include "lib/ops/recurrent.h"

namespace onecard {

// What our LSTM and GRU kernels share: where sequences lie, the packed weights, and x @ w for a stretch of time steps at once.
struct RecurrentPlan {
  int64_t time = 0, batch = 0, width = 0, hidden = 0, dirs = 1, gates = 1;
  bool batch_first = false, backwards_only = false;
  int64_t chunk = 1;  // time steps whose x @ w is held
  int64_t rows() const { return gates * hidden; }
  // Offsets in floats.
  int64_t x_at(int64_t t, int64_t n) const { return (batch_first ? n * time + t : t * batch + n) * width; }
  int64_t y_at(int64_t t, int64_t d, int64_t n) const { return (batch_first ? (n * time + t) * dirs + d : (t * dirs + d) * batch + n) * hidden; }
  int64_t state_at(int64_t d, int64_t n) const { return (batch_first ? n * dirs + d : d * batch + n) * hidden; }
  bool backwards(int64_t d) const { return backwards_only || d == 1; }
  int64_t chunk_floats() const { return chunk * batch * rows(); }
  // Row (t - first, n) of a chunk, and how far the rows of one time step lie apart.
  int64_t chunk_at(int64_t step, int64_t n) const { return (batch_first ? n * chunk + step : step * batch + n) * rows(); }
  int64_t chunk_stride() const { return batch_first ? chunk * rows() : rows(); }
};

// How many time steps each sequence has: sequence_lens, or all. A sequence that is over keeps its state.
class SequenceLengths {
 public:
  // Raises model where one is out of range.
  SequenceLengths(const RecurrentPlan& p, const LaunchArgs& args);
  bool has(int64_t n, int64_t t) const { return !lengths_ || t < lengths_[n]; }

 private:
  const int32_t* lengths_ = nullptr;
};

// Whether the operands and fields are what the kernels are written for: constant weights, f32, default functions, no clip.
Support recurrent_fits(const KernelQuery& q, const std::vector<std::string>& activations, std::span<const std::string_view> defaults, float clip);
RecurrentPlan recurrent_plan(const KernelQuery& q, Direction direction, SequenceLayout layout, int64_t gates);
// Weight input `input` [dirs, gates * hidden, k], transposed and packed for `multiply`: for each direction the gates [0, cut), then the rest.
PackedWeight pack_gates(const KernelQuery& q, const RecurrentPlan& p, size_t input, int64_t k, int64_t cut);
// Floats of one direction of that.
int64_t gates_floats(const RecurrentPlan& p, int64_t k, int64_t cut);

// c[m, n] += a @ packed, columns in parallel when that is worth a thread.
void add_product(const float* a, int64_t a_stride, int64_t m, int64_t k, const float* packed, int64_t n, float* c, int64_t c_stride);
// Fills `sums` with bias + x @ w of the time steps [first, first + count) of one direction.
void start_chunk(const RecurrentPlan& p, const float* x, const float* packed_w, const float* bias, int64_t first, int64_t count, float* sums);
// The state of direction d as [batch, hidden]: read from `initial` (null: zeros), and written to output `final` when it is not null.
void read_state(const RecurrentPlan& p, const float* initial, int64_t d, float* state);
void write_state(const RecurrentPlan& p, const float* state, int64_t d, float* final);
// Zeros where the sequence is over.
void write_output(const RecurrentPlan& p, const float* state, const SequenceLengths& lengths, int64_t t, int64_t d, float* y);
// Calls body(first, count) over the chunks of time in the order of direction d.
template <class F>
void for_chunks(const RecurrentPlan& p, int64_t d, const F& body) {
  for (int64_t done = 0; done < p.time; done += p.chunk) {
    const int64_t count = std::min(p.chunk, p.time - done);
    body(p.backwards(d) ? p.time - done - count : done, count);
  }
}

}  // namespace onecard
