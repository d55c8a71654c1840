#include "lib/cpu/recurrent_plan.h"

#include <cstring>

#include "lib/cpu/gemm.h"

namespace onecard {
namespace {

constexpr int64_t kChunkFloats = int64_t{1} << 20;  // x @ w held at a time, unless one step is more
constexpr size_t kLengths = 4;                      // the input that holds sequence_lens
constexpr int64_t kGrain = int64_t{1} << 17;        // multiplications worth a thread

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return (x | 0x20) == (y | 0x20); });
}

size_t bytes_of(int64_t floats) { return static_cast<size_t>(floats) * sizeof(float); }

}  // namespace

Support recurrent_fits(const KernelQuery& q, const std::vector<std::string>& activations, std::span<const std::string_view> defaults, float clip) {
  if (q.has(7)) return no("has peepholes");
  std::vector<TensorType> inputs(q.in.begin(), q.in.end());
  if (q.has(kLengths)) inputs[kLengths] = inputs[0];  // the only integers
  KernelQuery floats = q;
  floats.in = inputs;
  if (const Support s = plain_floats(floats); !s) return s;
  if (clip != 0) return no("has a clip");
  for (size_t i = 0; i < activations.size(); ++i)
    if (!same_word(activations[i], defaults[i % defaults.size()])) return no("activation " + activations[i]);
  if (!q.constants[1] || !q.constants[2]) return no("the weights are not constant");
  for (const auto& types : {q.in, q.out})
    for (const TensorType& t : types)
      if (t.container != Container::none && element_count(t.shape.numbers()) == 0) return no("empty " + t.text());
  return yes();
}

SequenceLengths::SequenceLengths(const RecurrentPlan& p, const LaunchArgs& args) {
  if (args.in.size() <= kLengths || !args.in[kLengths]) return;
  lengths_ = static_cast<const int32_t*>(args.in[kLengths]);
  for (int64_t n = 0; n < p.batch; ++n)
    require(lengths_[n] >= 0 && lengths_[n] <= p.time, ErrorKind::model, "sequence_lens holds ", lengths_[n], ", the input has ", p.time, " steps");
}

RecurrentPlan recurrent_plan(const KernelQuery& q, Direction direction, SequenceLayout layout, int64_t gates) {
  const Dims x = q.in[0].shape.numbers();
  RecurrentPlan p;
  p.batch_first = layout == SequenceLayout::batch_first;
  p.time = x[p.batch_first ? 1 : 0], p.batch = x[p.batch_first ? 0 : 1], p.width = x[2];
  p.hidden = q.in[2].shape[2].number();
  p.dirs = directions(direction), p.gates = gates;
  p.backwards_only = direction == Direction::reverse;
  p.chunk = std::clamp<int64_t>(kChunkFloats / (p.batch * p.rows()), 1, p.time);
  return p;
}

int64_t gates_floats(const RecurrentPlan& p, int64_t k, int64_t cut) {
  return packed_floats(k, cut * p.hidden) + (cut < p.gates ? packed_floats(k, (p.gates - cut) * p.hidden) : 0);
}

PackedWeight pack_gates(const KernelQuery& q, const RecurrentPlan& p, size_t input, int64_t k, int64_t cut) {
  PackedWeight w;
  w.input = input;
  w.key = "panels" + std::to_string(panel_columns()) + " cut" + std::to_string(cut) + " " + q.in[input].text();
  w.bytes = p.dirs * gates_floats(p, k, cut) * static_cast<int64_t>(sizeof(float));
  w.pack = [p, k, cut](const Tensor& plain, void* packed) {
    const float* from = plain.data<float>().data();
    auto* to = static_cast<float*>(packed);
    for (int64_t d = 0; d < p.dirs; ++d)
      for (const auto& [first, last] : {std::pair(int64_t{0}, cut), std::pair(cut, p.gates)}) {
        if (first == last) continue;
        pack_columns(from + (d * p.gates + first) * p.hidden * k, 1, k, k, (last - first) * p.hidden, to);
        to += packed_floats(k, (last - first) * p.hidden);
      }
  };
  return w;
}

void add_product(const float* a, int64_t a_stride, int64_t m, int64_t k, const float* packed, int64_t n, float* c, int64_t c_stride) {
  const int64_t width = panel_columns(), panels = (n + width - 1) / width;
  in_parallel(panels, std::max<int64_t>(1, kGrain / (m * k * width)), [&](int64_t begin, int64_t end) {
    const int64_t first = begin * width;
    multiply(a, a_stride, m, k, packed + first * k, std::min(n, end * width) - first, c + first, c_stride, Into::add);
  });
}

void start_chunk(const RecurrentPlan& p, const float* x, const float* packed_w, const float* bias, int64_t first, int64_t count, float* sums) {
  const int64_t rows = p.rows();
  for (int64_t n = 0; n < p.batch; ++n)
    for (int64_t i = 0; i < count; ++i) std::memcpy(sums + p.chunk_at(i, n), bias, bytes_of(rows));
  if (!p.batch_first) return add_product(x + p.x_at(first, 0), p.width, count * p.batch, p.width, packed_w, rows, sums, rows);
  for (int64_t n = 0; n < p.batch; ++n) add_product(x + p.x_at(first, n), p.width, count, p.width, packed_w, rows, sums + p.chunk_at(0, n), rows);
}

void read_state(const RecurrentPlan& p, const float* initial, int64_t d, float* state) {
  if (!initial) {
    std::memset(state, 0, bytes_of(p.batch * p.hidden));
    return;
  }
  for (int64_t n = 0; n < p.batch; ++n) std::memcpy(state + n * p.hidden, initial + p.state_at(d, n), bytes_of(p.hidden));
}

void write_state(const RecurrentPlan& p, const float* state, int64_t d, float* final) {
  for (int64_t n = 0; final && n < p.batch; ++n) std::memcpy(final + p.state_at(d, n), state + n * p.hidden, bytes_of(p.hidden));
}

void write_output(const RecurrentPlan& p, const float* state, const SequenceLengths& lengths, int64_t t, int64_t d, float* y) {
  for (int64_t n = 0; y && n < p.batch; ++n) {
    if (lengths.has(n, t)) std::memcpy(y + p.y_at(t, d, n), state + n * p.hidden, bytes_of(p.hidden));
    else std::memset(y + p.y_at(t, d, n), 0, bytes_of(p.hidden));
  }
}

}  // namespace onecard
