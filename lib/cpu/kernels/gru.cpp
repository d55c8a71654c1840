// GRU: x @ w of many steps at once, then h @ r and the gates step by step.
#include "lib/ops/gru.h"

#include "lib/cpu/gemm.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/recurrent_gates.h"
#include "lib/cpu/recurrent_plan.h"

namespace onecard {
namespace {

constexpr std::string_view kDefaults[] = {"sigmoid", "tanh"};
constexpr int64_t kCut = 2;  // the weights of z and r are packed apart from those of h

// The workspace of a launch, in floats. `extra` is r * h, or the recurrence of the hidden gate.
struct Memory {
  float *sums, *bias, *linear_bias, *h, *extra;
};
int64_t workspace_floats(const RecurrentPlan& p) { return p.chunk_floats() + p.rows() + p.hidden + 2 * p.batch * p.hidden; }
Memory memory_of(const RecurrentPlan& p, void* workspace) {
  auto* at = static_cast<float*>(workspace);
  Memory m{at, at + p.chunk_floats(), nullptr, nullptr, nullptr};
  m.linear_bias = m.bias + p.rows();
  m.h = m.linear_bias + p.hidden;
  m.extra = m.h + p.batch * p.hidden;
  return m;
}

const float* input(const LaunchArgs& args, size_t i) { return i < args.in.size() ? static_cast<const float*>(args.in[i]) : nullptr; }
float* output(const LaunchArgs& args, size_t i) { return i < args.out.size() ? static_cast<float*>(args.out[i]) : nullptr; }

// Biases that are added outside the reset gate go into the sums; with after_linear that of the hidden recurrence stays apart.
void read_bias(const RecurrentPlan& p, const float* b, ResetGate reset, const Memory& m) {
  const int64_t rows = p.rows(), cut = kCut * p.hidden;
  for (int64_t i = 0; i < rows; ++i) {
    const float wb = b ? b[i] : 0.0f, rb = b ? b[rows + i] : 0.0f;
    const bool apart = i >= cut && reset == ResetGate::after_linear;
    m.bias[i] = apart ? wb : wb + rb;
    if (i >= cut) m.linear_bias[i - cut] = rb;
  }
}

// Time step t; `sums` are the rows of x @ w + bias.
void run_step(const RecurrentPlan& p, const float* r, ResetGate reset, const SequenceLengths& lengths, int64_t t, const Memory& m, float* sums) {
  const int64_t hidden = p.hidden, stride = p.chunk_stride(), cut = kCut * hidden;
  const float* r_hidden = r + packed_floats(hidden, cut);
  add_product(m.h, hidden, p.batch, hidden, r, cut, sums, stride);
  if (reset == ResetGate::after_linear) {
    for (int64_t n = 0; n < p.batch; ++n) std::copy_n(m.linear_bias, hidden, m.extra + n * hidden);
    add_product(m.h, hidden, p.batch, hidden, r_hidden, hidden, m.extra, hidden);
  } else {
    for (int64_t n = 0; n < p.batch; ++n) gru_reset(sums + n * stride, hidden, m.h + n * hidden, m.extra + n * hidden);
    add_product(m.extra, hidden, p.batch, hidden, r_hidden, hidden, sums + cut, stride);
  }
  for (int64_t n = 0; n < p.batch; ++n)
    if (lengths.has(n, t)) gru_update(sums + n * stride, hidden, reset == ResetGate::after_linear ? m.extra + n * hidden : nullptr, m.h + n * hidden);
}

void run_direction(const RecurrentPlan& p, ResetGate reset, const LaunchArgs& args, const SequenceLengths& lengths, int64_t d) {
  const Memory m = memory_of(p, args.workspace);
  const float *w = input(args, 1) + d * gates_floats(p, p.width, p.gates), *r = input(args, 2) + d * gates_floats(p, p.hidden, kCut);
  read_bias(p, input(args, 3) ? input(args, 3) + d * 2 * p.rows() : nullptr, reset, m);
  read_state(p, input(args, 5), d, m.h);
  for_chunks(p, d, [&](int64_t first, int64_t count) {
    start_chunk(p, input(args, 0), w, m.bias, first, count, m.sums);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t step = p.backwards(d) ? count - 1 - i : i;
      run_step(p, r, reset, lengths, first + step, m, m.sums + p.chunk_at(step, 0));
      write_output(p, m.h, lengths, first + step, d, output(args, 0));
    }
  });
  write_state(p, m.h, d, output(args, 1));
}

Support supports(const Gru& op, const KernelQuery& q) { return recurrent_fits(q, op.activations, kDefaults, op.clip); }

std::unique_ptr<Step> prepare(const Gru& op, const KernelQuery& q) {
  const RecurrentPlan p = recurrent_plan(q, op.direction, op.layout, 3);
  auto step = plain_step(q, [p, reset = op.reset_gate](const LaunchArgs& args) {
    const SequenceLengths lengths(p, args);
    for (int64_t d = 0; d < p.dirs; ++d) run_direction(p, reset, args, lengths, d);
  });
  step->weights.push_back(pack_gates(q, p, 1, p.width, p.gates));
  step->weights.push_back(pack_gates(q, p, 2, p.hidden, kCut));
  step->workspace_bytes = workspace_floats(p) * static_cast<int64_t>(sizeof(float));
  step->flops = 2.0 * static_cast<double>(p.dirs * p.time * p.batch) * static_cast<double>(p.rows()) * static_cast<double>(p.width + p.hidden);
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_gru_kernel(const OneDnnPtr&) { return std::make_unique<KernelFor<Gru, supports, prepare>>("cpu.gru"); }

}  // namespace onecard
