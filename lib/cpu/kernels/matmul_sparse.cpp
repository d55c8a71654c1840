// MatMul of few f32 rows by a constant that is partly zero: what is read is a bit an element and the others.
#include <algorithm>
#include <bit>
#include <cstring>

#include "lib/cpu/float_rows.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/nonzeros.h"
#include "lib/cpu/plain_step.h"
#include "lib/cpu/sparse_matmul.h"

namespace onecard {
namespace {

// Time / dense time, measured by bench/sparse_matmul.py, one thread, AVX-512, in turns on a machine in use: 4096 by 4096, 1 row: 0.68 with half of it zero and 0.58 with 80%
// (floor by bytes read: 0.53, 0.23); 4 rows: 0.69 and 0.54; 8 rows: 0.60 and 0.29; 16 rows: 1.06, so no more than 8. 1024 by 1024, 1 row: 0.67
// and 0.62. What stays in the second cache was not measured, nor were fewer zeros.
constexpr SparseRule kRule{4 << 20, 8, 0.45};

// y = f(sums + bias + residual) or f(sums + bias) + residual, for one row of one panel.
struct Ending {
  int64_t bias_count = 0;  // none, one, or one per column
  UnaryRow curve = nullptr;
  Activation activation;
  AddOrder order = AddOrder::before_activation;

  void finish(float* sums, const float* bias, const float* residual, int64_t column, int64_t columns, float* y) const {
    for (int64_t j = 0; bias_count && j < columns; ++j) sums[j] += bias[bias_count == 1 ? 0 : column + j];
    const bool before = order == AddOrder::before_activation;
    for (int64_t j = 0; residual && before && j < columns; ++j) sums[j] += residual[j];
    if (curve) curve(sums, sums, columns, activation.alpha, activation.beta);
    for (int64_t j = 0; residual && !before && j < columns; ++j) sums[j] += residual[j];
    std::memcpy(y, sums, static_cast<size_t>(columns) * sizeof(float));
  }
};

struct Product {
  int64_t rows, k, n;
  Ending ending;

  void run(const LaunchArgs& args) const {
    const auto input = [&](size_t i) { return i < args.in.size() ? static_cast<const float*>(args.in[i]) : nullptr; };
    const float *bias = input(2), *residual = input(3);
    auto* y = static_cast<float*>(args.out[0]);
    const SparseTarget target = sparse_float_target();
    in_parallel((n + kSparseColumns - 1) / kSparseColumns, 4, [&](int64_t begin, int64_t end) {
      alignas(64) float sums[kSparseRows * kSparseColumns];
      for (int64_t p = begin; p < end; ++p) {
        multiply_sparse_floats(target, args.in[1], k, n, p, input(0), k, rows, sums);
        const int64_t column = p * kSparseColumns, columns = std::min(kSparseColumns, n - column);
        for (int64_t i = 0; i < rows; ++i) {
          const int64_t at = i * n + column;
          ending.finish(sums + i * kSparseColumns, bias, residual ? residual + at : nullptr, column, columns, y + at);
        }
      }
    });
  }
};

class SparseMatMul : public Kernel {
 public:
  std::string_view name() const override { return "cpu.matmul_sparse"; }

  Support supports(const KernelQuery& q) const override {
    const auto* op = dynamic_cast<const MatMul*>(&q.op);
    if (!op) return no("other op");
    if (sparse_float_target() == SparseTarget::none) return no("this processor expands no packed elements");
    if (const Support s = plain_floats(q); !s) return s;
    if (!op->activation.is_identity() && !float_unary_row(op->activation.fn)) return no("no loop for the activation");
    if (q.has(3) && q.in[3].shape != q.out[0].shape) return no("residual " + q.in[3].text() + " is not of the output's shape");
    if (const Support s = sparse_shapes_fit(*op, q, kRule); !s) return s;
    return sparse_share_fits(counts_.of(q.constants[1]), q.constants[1]->elements(), kRule);
  }

  std::unique_ptr<Step> prepare(const KernelQuery& q) const override {
    const auto& op = q.as<MatMul>();
    const MatMulShapes s = sparse_shapes(op, q);
    Product product{s.a[0], s.a[1], s.b[1], {}};
    product.ending.bias_count = q.has(2) ? element_count(s.bias) : 0;
    product.ending.activation = op.activation;
    product.ending.order = op.add_order;
    if (!op.activation.is_identity()) product.ending.curve = float_unary_row(op.activation.fn);
    auto step = plain_step(q, [product](const LaunchArgs& args) { product.run(args); });
    const SparseSource from = sparse_source(s);
    PackedWeight w;
    w.input = 1;
    w.key = "f32 without zeros, " + std::to_string(from.k) + " by " + std::to_string(from.n) + " at " + std::to_string(from.row_stride) + ", " +
            std::to_string(from.column_stride) + ", times bits " + std::to_string(std::bit_cast<uint32_t>(op.alpha));
    w.bytes = sparse_float_bytes(from.k, from.n, counts_.of(q.constants[1]).value());
    w.pack = [from, factor = op.alpha](const Tensor& plain, void* to) { pack_sparse_floats(plain.data<float>().data(), from, factor, to); };
    step->weights.push_back(std::move(w));
    step->flops = s.flops;
    allow_in_place(*step, q, {3});
    return step;
  }

 private:
  mutable NonzeroCounts counts_;
};

}  // namespace

std::unique_ptr<Kernel> make_matmul_sparse_kernel(const OneDnnPtr&) { return std::make_unique<SparseMatMul>(); }

}  // namespace onecard
