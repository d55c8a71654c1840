// Attention by blocks of query rows: scores, softmax and the weighted sum of a block stay in cache, k and v are packed once per head.
#include "lib/ops/attention.h"

#include "lib/cpu/gemm.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"
#include "lib/ops/broadcast_index.h"

namespace onecard {
namespace {

constexpr int64_t kBlockRows = 48;  // a multiple of the product's row blocks
// Measured against oneDNN's products and softmax on AVX-512: with fewer queries packing k and v costs more than it saves, and shorter rows
// of scores stay in cache there too, unless a bias adds a pass.
constexpr int64_t kFewestQueries = 64;
constexpr int64_t kShortestRow = 256, kShortestBiasedRow = 128;

// Where one matrix of the batch starts in each operand, in floats.
struct Matrices {
  int64_t q, k, v, bias, y;
};

struct AttentionPlan {
  int64_t s = 0, t = 0, d = 0, v = 0;
  float scale = 1;
  int64_t k_row = 1, k_column = 1;  // strides of k as [d, t]
  int64_t bias_row = 0, bias_step = 0;
  std::vector<Matrices> batch;
  int64_t pieces = 1, rows_per_piece = 0;  // of the query rows of one matrix
  int64_t slots = 1, slot_floats = 0;      // threads that work, and what each needs

  int64_t k_floats() const { return packed_floats(d, t); }
  int64_t v_floats() const { return packed_floats(t, v); }
};

Dims without_matrix(const Dims& dims) { return Dims(dims.begin(), dims.end() - 2); }

Dims batch_strides(const Dims& dims, const Dims& batch) {
  Dims strides = broadcast_strides(without_matrix(dims), batch);
  for (int64_t& s : strides) s *= dims[dims.size() - 1] * dims[dims.size() - 2];
  return strides;
}

AttentionPlan plan_of(const Attention& op, const KernelQuery& q) {
  const Dims qd = q.in[0].shape.numbers(), kd = q.in[1].shape.numbers(), vd = q.in[2].shape.numbers(), yd = q.out[0].shape.numbers();
  const bool tokens_first = op.key_layout == KeyLayout::tokens_first;
  AttentionPlan p;
  p.s = qd[qd.size() - 2], p.d = qd.back(), p.t = vd[vd.size() - 2], p.v = vd.back(), p.scale = op.scale;
  p.k_row = tokens_first ? 1 : p.t, p.k_column = tokens_first ? p.d : 1;
  const Dims batch = without_matrix(yd);
  std::array<Dims, 5> strides{batch_strides(qd, batch), batch_strides(kd, batch), batch_strides(vd, batch), Dims(batch.size(), 0),
                              batch_strides(yd, batch)};
  if (q.has(3)) {
    Dims scores = batch;
    scores.push_back(p.s), scores.push_back(p.t);
    Dims bias = broadcast_strides(q.in[3].shape.numbers(), scores);
    p.bias_row = bias[bias.size() - 2], p.bias_step = bias.back();
    strides[3] = without_matrix(bias);
  }
  walk(batch, strides, 0, element_count(batch), [&](int64_t, const auto& at) { p.batch.push_back({at[0], at[1], at[2], at[3], at[4]}); });
  const int64_t count = static_cast<int64_t>(p.batch.size()), threads = std::max(q.threads, 1), blocks = (p.s + kBlockRows - 1) / kBlockRows;
  if (count < 2 * threads && count > 0) p.pieces = std::min(blocks, (2 * threads + count - 1) / count);
  p.rows_per_piece = (blocks + p.pieces - 1) / p.pieces * kBlockRows;
  p.slots = std::min(threads, std::max<int64_t>(count * p.pieces, 1));
  p.slot_floats = (p.k_floats() + p.v_floats() + kBlockRows * p.t + 15) / 16 * 16;
  return p;
}

// Query rows [first, last) of one matrix; k and v are packed already.
void run_rows(const AttentionPlan& p, const float* q, const float* k, const float* v, const float* bias, float* scores, float* y, int64_t first,
              int64_t last) {
  for (int64_t row = first; row < last; row += kBlockRows) {
    const int64_t rows = std::min(kBlockRows, last - row);
    multiply(q + row * p.d, p.d, rows, p.d, k, p.t, scores, p.t, Into::overwrite);
    softmax_rows(scores, p.t, rows, p.t, p.scale, {bias ? bias + row * p.bias_row : nullptr, p.bias_row, p.bias_step});
    multiply(scores, p.t, rows, p.t, v, p.v, y + row * p.v, p.v, Into::overwrite);
  }
}

void run_slot(const AttentionPlan& p, const LaunchArgs& args, int64_t slot) {
  const auto *q = static_cast<const float*>(args.in[0]), *k = static_cast<const float*>(args.in[1]), *v = static_cast<const float*>(args.in[2]);
  const auto* bias = args.in.size() > 3 ? static_cast<const float*>(args.in[3]) : nullptr;
  auto* y = static_cast<float*>(args.out[0]);
  float* packed_k = static_cast<float*>(args.workspace) + slot * p.slot_floats;
  float *packed_v = packed_k + p.k_floats(), *scores = packed_v + p.v_floats();
  const int64_t units = static_cast<int64_t>(p.batch.size()) * p.pieces;
  int64_t packed = -1;
  for (int64_t u = units * slot / p.slots; u < units * (slot + 1) / p.slots; ++u) {
    const int64_t matrix = u / p.pieces, first = u % p.pieces * p.rows_per_piece;
    const Matrices& at = p.batch[static_cast<size_t>(matrix)];
    if (packed != matrix) {
      pack_columns(k + at.k, p.k_row, p.k_column, p.d, p.t, packed_k);
      pack_columns(v + at.v, p.v, 1, p.t, p.v, packed_v);
      packed = matrix;
    }
    run_rows(p, q + at.q, packed_k, packed_v, bias ? bias + at.bias : nullptr, scores, y + at.y, first, std::min(p.s, first + p.rows_per_piece));
  }
}

Support supports(const Attention&, const KernelQuery& q) {
  if (const Support s = plain_floats(q); !s) return s;
  for (size_t i = 0; i < 3; ++i)
    if (q.in[i].shape.rank() < 2) return no("not a matrix: " + q.in[i].text());
  const Dims y = q.out[0].shape.numbers(), x = q.in[0].shape.numbers(), v = q.in[2].shape.numbers();
  if (element_count(y) == 0 || element_count(x) == 0 || element_count(v) == 0) return no("empty");
  if (x[x.size() - 2] < kFewestQueries) return no("slower than its parts here: few queries");
  if (v[v.size() - 2] < (q.has(3) ? kShortestBiasedRow : kShortestRow)) return no("slower than its parts here: few keys");
  return yes();
}

std::unique_ptr<Step> prepare(const Attention& op, const KernelQuery& q) {
  AttentionPlan p = plan_of(op, q);
  const double flops = 2.0 * static_cast<double>(p.batch.size()) * static_cast<double>(p.s * p.t) * static_cast<double>(p.d + p.v);
  const int64_t workspace = p.slots * p.slot_floats * static_cast<int64_t>(sizeof(float));
  auto step = plain_step(q, [p = std::move(p)](const LaunchArgs& args) {
    in_parallel(p.slots, 1, [&](int64_t begin, int64_t end) {
      for (int64_t slot = begin; slot < end; ++slot) run_slot(p, args, slot);
    });
  });
  step->workspace_bytes = workspace;
  step->flops = flops;
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_attention_kernel(const OneDnnPtr&) { return std::make_unique<KernelFor<Attention, supports, prepare>>("cpu.attention"); }

}  // namespace onecard
