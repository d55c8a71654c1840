// MatMul of f32 rows with a constant of 4- or 8-bit integers, which are read as they are stored; with many rows they become real numbers piece by
// piece.
#include <algorithm>

#include "lib/cpu/coded_weights.h"
#include "lib/cpu/float_rows.h"
#include "lib/cpu/gemm.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/matmul_shapes.h"
#include "lib/cpu/plain_step.h"
#include "lib/ops/epilogue.h"

namespace onecard {
namespace {

constexpr int64_t kFewRows = 12;     // up to here codes are multiplied as they are
constexpr int64_t kPieceRows = 256;  // of a panel made real at once: it stays in the first cache
constexpr int64_t kTileRows = 384;   // of the left operand that meet a piece: they stay in the second

struct CodedMatMul {
  CodedForm form;
  int64_t rows = 0, slots = 1;
  float alpha = 1;
  Activation activation;
  AddOrder order = AddOrder::before_activation;
  int64_t bias_count = 0;  // 0: none; 1: one for all columns
  bool residual = false;

  int64_t slot_floats() const { return (rows <= kFewRows ? kCodedRows : std::min(kPieceRows, form.k)) * form.width; }
  int64_t sum_floats() const { return form.corrects() && rows <= kFewRows ? (rows * form.blocks() + 15) / 16 * 16 : 0; }
};

MatMulShapes shapes_of(const MatMul& op, const KernelQuery& q) {
  const auto bias = q.has(2) ? std::optional(q.in[2].shape.numbers()) : std::nullopt;
  return matmul_shapes(op, q.in[0].shape.numbers(), q.in[1].shape.numbers(), bias);
}
std::optional<CodedWeights> weights_of(const MatMul& op, const KernelQuery& q) {
  return coded_weights(q.in[1], op.transpose_b == Transpose2::yes ? Lies::turned : Lies::plain);
}

// Without the scales, which may be many.
std::string stored(const TensorType& t) { return std::string(info(t.dtype).name) + t.shape.text(); }
bool is_float(const TensorType& t) { return t.dtype == DType::f32 && !t.quant && t.is_static(); }

Support supports(const MatMul& op, const KernelQuery& q) {
  if (op.dynamic != Dynamic::no) return no("a is to be quantized while running");
  if (!q.constants[1]) return no("b is no constant");
  if (!is_float(q.in[0]) || !is_float(q.out[0])) return no("a and y are not f32: " + q.in[0].text());
  if (op.transpose_a == Transpose2::yes && q.in[0].shape.rank() > 1) return no("a is transposed");
  if (!weights_of(op, q)) return no("b is not of 4 or 8 bits with a scale, one per column, or one per column and block: " + stored(q.in[1]));
  for (const size_t i : {size_t{2}, size_t{3}})
    if (q.has(i) && !is_float(q.in[i])) return no("bias or residual is not f32: " + q.in[i].text());
  if (q.has(3) && q.in[3].shape != q.out[0].shape) return no("the residual is not of the output's shape: " + q.in[3].text());
  const MatMulShapes s = shapes_of(op, q);
  if (s.a.size() != 2) return no("b serves a batch of its own");
  if (q.has(2) && !s.bias_is_row && element_count(s.bias) != 1) return no("the bias is no row: " + q.in[2].text());
  if (!op.activation.is_identity() && !float_unary_row(op.activation.fn)) return no("its activation is no loop here");
  return yes();
}

void add(const float* b, int64_t step, float* y, int64_t n) {
  static const BinaryRow row = float_binary_row(BinaryFn::add);
  row(y, 1, b, step, y, n);
}

// The end of the product for `columns` of one row, which lie at y.
void finish_row(const CodedMatMul& p, const LaunchArgs& args, int64_t row, int64_t first, int64_t columns, float* y) {
  if (p.bias_count > 0) add(static_cast<const float*>(args.in[2]) + (p.bias_count == 1 ? 0 : first), p.bias_count == 1 ? 0 : 1, y, columns);
  const float* residual = p.residual ? static_cast<const float*>(args.in[3]) + row * p.form.n + first : nullptr;
  if (residual && p.order == AddOrder::before_activation) add(residual, 1, y, columns);
  if (!p.activation.is_identity()) float_unary_row(p.activation.fn)(y, y, columns, p.activation.alpha, p.activation.beta);
  if (residual && p.order == AddOrder::after_activation) add(residual, 1, y, columns);
}

// A residual may lie where y is to be: rows are finished in a scratch before they are put there.
void put(const CodedMatMul& p, const LaunchArgs& args, int64_t row, int64_t first, int64_t columns, float* from) {
  finish_row(p, args, row, first, columns, from);
  std::copy_n(from, columns, static_cast<float*>(args.out[0]) + row * p.form.n + first);
}

void few_rows(const CodedMatMul& p, const LaunchArgs& args, int64_t panel, const float* sums, float* scratch) {
  const auto* a = static_cast<const float*>(args.in[0]);
  const auto* codes = static_cast<const std::byte*>(args.in[1]) + panel * p.form.panel_bytes();
  const int64_t first = panel * p.form.width, columns = std::min(p.form.width, p.form.n - first);
  for (int64_t row = 0; row < p.rows; row += kCodedRows) {
    const int64_t count = std::min(kCodedRows, p.rows - row);
    coded_rows(p.form, codes, a + row * p.form.k, p.form.k, count, sums ? sums + row * p.form.blocks() : nullptr, p.alpha, scratch);
    for (int64_t r = 0; r < count; ++r) put(p, args, row + r, first, columns, scratch + r * p.form.width);
  }
}

// One tile of rows against panels [begin, end), summed in y.
void tile(const CodedMatMul& p, const LaunchArgs& args, int64_t row, int64_t begin, int64_t end, float* scratch) {
  const CodedForm& form = p.form;
  const auto* a = static_cast<const float*>(args.in[0]) + row * form.k;
  auto* y = static_cast<float*>(args.out[0]) + row * form.n;
  const int64_t rows = std::min(kTileRows, p.rows - row);
  for (int64_t k = 0; k < form.k; k += kPieceRows) {
    const int64_t count = std::min(kPieceRows, form.k - k);
    for (int64_t panel = begin; panel < end; ++panel) {
      const int64_t first = panel * form.width, columns = std::min(form.width, form.n - first);
      decode_rows(form, static_cast<const std::byte*>(args.in[1]) + panel * form.panel_bytes(), k, count, p.alpha, scratch);
      multiply(a + k, form.k, rows, count, scratch, columns, y + first, form.n, k == 0 ? Into::overwrite : Into::add);
    }
  }
  const int64_t first = begin * form.width, columns = std::min(end * form.width, form.n) - first;
  for (int64_t r = 0; r < rows; ++r) finish_row(p, args, row + r, first, columns, y + r * form.n + first);
}

void run(const CodedMatMul& p, const LaunchArgs& args) {
  auto* workspace = static_cast<float*>(args.workspace);
  float* sums = p.sum_floats() > 0 ? workspace : nullptr;
  float* scratch = workspace + p.sum_floats();
  if (sums) block_sums(p.form, static_cast<const float*>(args.in[0]), p.form.k, p.rows, sums);
  const int64_t panels = p.form.panels(), slots = p.slots;
  in_parallel(slots, 1, [&](int64_t from, int64_t to) {
    for (int64_t slot = from; slot < to; ++slot) {
      float* own = scratch + slot * p.slot_floats();
      const int64_t begin = panels * slot / slots, end = panels * (slot + 1) / slots;
      if (p.rows <= kFewRows)
        for (int64_t panel = begin; panel < end; ++panel) few_rows(p, args, panel, sums, own);
      else
        for (int64_t row = 0; row < p.rows; row += kTileRows) tile(p, args, row, begin, end, own);
    }
  });
}

std::unique_ptr<Step> prepare(const MatMul& op, const KernelQuery& q) {
  const MatMulShapes s = shapes_of(op, q);
  const CodedWeights w = *weights_of(op, q);
  CodedMatMul p;
  p.form = w.form;
  p.rows = s.a[0];
  p.alpha = op.alpha;
  p.activation = op.activation;
  p.order = op.add_order;
  p.bias_count = q.has(2) ? element_count(s.bias) : 0;
  p.residual = q.has(3);
  p.slots = std::min<int64_t>(w.form.panels(), std::max(q.threads, 1));  // each with a share of the panels and a scratch
  auto step = plain_step(q, [p](const LaunchArgs& args) { run(p, args); });
  step->workspace_bytes = (p.sum_floats() + p.slots * p.slot_floats()) * static_cast<int64_t>(sizeof(float));
  step->weights.push_back(packed_codes(1, w));
  step->flops = s.flops;
  if (p.rows <= kFewRows) allow_in_place(*step, q, {3});
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_matmul_coded_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<MatMul, supports, prepare>>("cpu.matmul_coded");
}

}  // namespace onecard
