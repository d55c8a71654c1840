// LSTM: x @ w of many steps at once, then h @ r and the gates step by step.
#include "lib/ops/lstm.h"

#include "lib/cpu/kernels.h"
#include "lib/cpu/recurrent_gates.h"
#include "lib/cpu/recurrent_plan.h"

namespace onecard {
namespace {

constexpr std::string_view kDefaults[] = {"sigmoid", "tanh", "tanh"};

// The workspace of a launch, in floats.
struct Memory {
  float *sums, *bias, *h, *c;
};
int64_t workspace_floats(const RecurrentPlan& p) { return p.chunk_floats() + p.rows() + 2 * p.batch * p.hidden; }
Memory memory_of(const RecurrentPlan& p, void* workspace) {
  auto* at = static_cast<float*>(workspace);
  Memory m{at, at + p.chunk_floats(), nullptr, nullptr};
  m.h = m.bias + p.rows();
  m.c = m.h + p.batch * p.hidden;
  return m;
}

const float* input(const LaunchArgs& args, size_t i) { return i < args.in.size() ? static_cast<const float*>(args.in[i]) : nullptr; }
float* output(const LaunchArgs& args, size_t i) { return i < args.out.size() ? static_cast<float*>(args.out[i]) : nullptr; }

void run_direction(const RecurrentPlan& p, const LaunchArgs& args, const SequenceLengths& lengths, int64_t d) {
  const Memory m = memory_of(p, args.workspace);
  const int64_t rows = p.rows(), hidden = p.hidden;
  const float *w = input(args, 1) + d * gates_floats(p, p.width, p.gates), *r = input(args, 2) + d * gates_floats(p, hidden, p.gates);
  const float* b = input(args, 3) ? input(args, 3) + d * 2 * rows : nullptr;
  for (int64_t i = 0; i < rows; ++i) m.bias[i] = b ? b[i] + b[rows + i] : 0.0f;
  read_state(p, input(args, 5), d, m.h);
  read_state(p, input(args, 6), d, m.c);
  for_chunks(p, d, [&](int64_t first, int64_t count) {
    start_chunk(p, input(args, 0), w, m.bias, first, count, m.sums);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t step = p.backwards(d) ? count - 1 - i : i;
      add_product(m.h, hidden, p.batch, hidden, r, rows, m.sums + p.chunk_at(step, 0), p.chunk_stride());
      for (int64_t n = 0; n < p.batch; ++n)
        if (lengths.has(n, first + step)) lstm_gates(m.sums + p.chunk_at(step, n), hidden, m.c + n * hidden, m.h + n * hidden);
      write_output(p, m.h, lengths, first + step, d, output(args, 0));
    }
  });
  write_state(p, m.h, d, output(args, 1));
  write_state(p, m.c, d, output(args, 2));
}

Support supports(const Lstm& op, const KernelQuery& q) {
  if (op.forget_gate != ForgetGate::own) return no("the forget gate is coupled");
  return recurrent_fits(q, op.activations, kDefaults, op.clip);
}

std::unique_ptr<Step> prepare(const Lstm& op, const KernelQuery& q) {
  const RecurrentPlan p = recurrent_plan(q, op.direction, op.layout, 4);
  auto step = plain_step(q, [p](const LaunchArgs& args) {
    const SequenceLengths lengths(p, args);
    for (int64_t d = 0; d < p.dirs; ++d) run_direction(p, args, lengths, d);
  });
  step->weights.push_back(pack_gates(q, p, 1, p.width, p.gates));
  step->weights.push_back(pack_gates(q, p, 2, p.hidden, p.gates));
  step->workspace_bytes = workspace_floats(p) * static_cast<int64_t>(sizeof(float));
  step->flops = 2.0 * static_cast<double>(p.dirs * p.time * p.batch) * static_cast<double>(p.rows()) * static_cast<double>(p.width + p.hidden);
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_lstm_kernel(const OneDnnPtr&) { return std::make_unique<KernelFor<Lstm, supports, prepare>>("cpu.lstm"); }

}  // namespace onecard
