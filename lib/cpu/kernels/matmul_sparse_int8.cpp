// MatMul of few rows of integers by a constant that is partly zero: what is read is a bit an element and the others; exact sums.
#include <algorithm>
#include <cstring>

#include "lib/cpu/integer_weights.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/nonzeros.h"
#include "lib/cpu/plain_step.h"
#include "lib/cpu/sparse_matmul.h"

namespace onecard {
namespace {

// Time / dense time, measured by bench/sparse_matmul.py, one thread, AVX-512 with VNNI, in turns on a machine in use: 4096 by 4096, 1 row: 0.71 with half of it zero and 0.51 with 80%
// (floor by bytes read: 0.62, 0.33); 2 rows: 0.78 and 0.52; 4 rows: above 1 before sums were taken in two streams and not measured since, so no more
// than 2. 2048 by 2048, 1 row: 0.82 and 0.51. With AVX2 expanding bytes took 1.4 ms where reading the dense ones takes 0.6: there is no loop for it.
constexpr SparseRule kRule{4 << 20, 2, 0.45};
constexpr int64_t kWidest = 64;  // columns of a tile

int64_t cache_lines(int64_t bytes) { return (bytes + 63) / 64 * 64; }

std::optional<ByteWeights> columns_of(const MatMul& op, const KernelQuery& q, int64_t columns) {
  return byte_weights(q.in[1], op.transpose_b == Transpose2::yes ? 0 : 1, columns);
}

struct Product {
  int64_t rows, k, n;
  DType a;
  int32_t a_zero;            // as u8
  std::vector<float> scale;  // padded
  int64_t bias_count = 0;
  IntegerFinish finish;

  int64_t a_stride() const { return cache_lines(k); }
  int64_t workspace_bytes() const { return cache_lines((n + integer_panel_columns()) * 4) + rows * a_stride(); }

  // The bias with room behind it, and a's integers as u8.
  void copy_inputs(const LaunchArgs& args, float* bias, uint8_t* rows_of_a) const {
    std::memset(args.workspace, 0, static_cast<size_t>(workspace_bytes()));
    const void* given = args.in.size() > 2 ? args.in[2] : nullptr;
    if (given && bias_count == 1) std::fill_n(bias, n, *static_cast<const float*>(given));
    else if (given) std::memcpy(bias, given, static_cast<size_t>(n) * sizeof(float));
    const uint8_t flip = a == DType::i8 ? 0x80 : 0;
    const auto* from = static_cast<const uint8_t*>(args.in[0]);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < k; ++j) rows_of_a[i * a_stride() + j] = from[i * k + j] ^ flip;
  }

  void run(const LaunchArgs& args) const {
    auto* bias = static_cast<float*>(args.workspace);
    auto* x = static_cast<uint8_t*>(args.workspace) + cache_lines((n + integer_panel_columns()) * 4);
    copy_inputs(args, bias, x);
    const void* residual = args.in.size() > 3 ? args.in[3] : nullptr;
    const int64_t width = integer_panel_columns(), y_bytes = info(finish.y).bits / 8, residual_bytes = info(finish.residual).bits / 8;
    in_parallel((n + width - 1) / width, 2, [&](int64_t begin, int64_t end) {
      alignas(64) int32_t tile[kSparseRows * kWidest];
      for (int64_t t = begin; t < end; ++t) {
        const int64_t column = t * width, columns = std::min(width, n - column);
        for (int64_t j = 0; j < columns; j += kSparseColumns)
          multiply_sparse_bytes(sparse_byte_target(), args.in[1], k, n, (column + j) / kSparseColumns, x, a_stride(), a_zero, rows, tile + j, width);
        FinishPlace place{static_cast<char*>(args.out[0]) + column * y_bytes, nullptr, n};
        if (residual) place.residual = static_cast<const char*>(residual) + column * residual_bytes;
        finish_tile(finish, {scale.data() + column, bias + column, nullptr}, {}, tile, rows, columns, place);
      }
    });
  }
};

class SparseMatMulInt8 : public Kernel {
 public:
  std::string_view name() const override { return "cpu.matmul_sparse_int8"; }

  Support supports(const KernelQuery& q) const override {
    const auto* op = dynamic_cast<const MatMul*>(&q.op);
    if (!op) return no("other op");
    if (sparse_byte_target() == SparseTarget::none || integer_panel_columns() % kSparseColumns != 0 || integer_panel_columns() > kWidest)
      return no("this processor expands no packed bytes");
    for (const Support& s : {plain_operands(q), integer_finish_fits(q, op->activation, 3), integer_bias_fits(q, 2)})
      if (!s) return s;
    if (!per_tensor(q.in[0])) return no("a is not i8 or u8 quantized per tensor: " + q.in[0].text());
    if (const Support s = sparse_shapes_fit(*op, q, kRule); !s) return s;
    const MatMulShapes s = sparse_shapes(*op, q);
    const auto w = columns_of(*op, q, s.b[1]);
    if (!w || w->dtype != DType::i8 || !w->zero.empty()) return no("b is not i8 quantized symmetrically per tensor or column: " + q.in[1].text());
    if (const Support fits = sums_fit(code_reach(q.in[0]), *w, s.a[1]); !fits) return fits;
    return sparse_share_fits(counts_.of(q.constants[1]), q.constants[1]->elements(), kRule);
  }

  std::unique_ptr<Step> prepare(const KernelQuery& q) const override {
    const auto& op = q.as<MatMul>();
    const MatMulShapes s = sparse_shapes(op, q);
    ByteWeights w = *columns_of(op, q, s.b[1]);
    Product product{s.a[0], s.a[1], s.b[1], q.in[0].dtype, packed_zero(DType::i8, per_tensor(q.in[0])->zero), {}, 0, {}};
    if (q.in[0].dtype == DType::i8) product.a_zero += 128;
    product.finish = integer_finish(q, op.activation, op.add_order, 3);
    finish_scales(product.finish, w.scale, q, op.transpose_b == Transpose2::yes ? 0 : 1, op.alpha);
    product.scale = padded_columns(std::move(w.scale));
    product.bias_count = q.has(2) ? element_count(s.bias) : 0;
    const IntegerFinish finish = product.finish;
    const int64_t workspace = product.workspace_bytes();
    auto step = plain_step(q, [product = std::move(product)](const LaunchArgs& args) { product.run(args); });
    const SparseSource from = sparse_source(s);
    PackedWeight packed;
    packed.input = 1;
    packed.key = "i8 without zeros, " + std::to_string(from.k) + " by " + std::to_string(from.n) + " at " + std::to_string(from.row_stride) + ", " +
                 std::to_string(from.column_stride);
    packed.bytes = sparse_byte_bytes(from.k, from.n, counts_.of(q.constants[1]).value());
    packed.pack = [from](const Tensor& plain, void* to) { pack_sparse_bytes(plain.data<int8_t>().data(), from, to); };
    step->weights.push_back(std::move(packed));
    step->workspace_bytes = workspace;
    step->flops = s.flops;
    bind_integer_bias(*step, q, 2, finish);
    allow_in_place(*step, q, {3});
    return step;
  }

 private:
  mutable NonzeroCounts counts_;
};

}  // namespace

std::unique_ptr<Kernel> make_matmul_sparse_int8_kernel(const OneDnnPtr&) { return std::make_unique<SparseMatMulInt8>(); }

}  // namespace onecard
