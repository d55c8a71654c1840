// Matrix products of f32: tiles in shared memory, or one warp (or thread) per number where there are few rows.
#include "cuda/kernels.h"
#include "cuda/product.cuh"
#include "cuda/walk.h"
#include "lib/ops/broadcast_index.h"
#include "lib/ops/matrix_product.h"

namespace onecard::cuda {
namespace {

constexpr int kFewRows = 8;

struct Matrices {
  int m = 1, n = 1, k = 1, count = 1;                 // count: matrices of y
  int a_row = 0, a_step = 1, b_row = 0, b_column = 1, bias_row = 0, bias_column = 0;
  Walk<2> batch_walk;                                 // over the batch: where the operands' matrices begin
  const float *a_at = nullptr, *b_at = nullptr;
  float* y = nullptr;
  Epilogue epilogue;

  struct Batch {
    const float *a, *b;
    int first;                                        // in y
  };
  using Column = int;
  ANYWHERE int rows() const { return m; }
  ANYWHERE int columns() const { return n; }
  ANYWHERE int depth() const { return k; }
  ANYWHERE int batches() const { return count; }
  ANYWHERE bool a_by_rows() const { return a_row == 1 && a_step != 1; }
  ANYWHERE bool b_by_columns() const { return b_column == 1; }
  ANYWHERE Batch batch(int z) const {
    int at[2];
    batch_walk.offsets(z, at);
    return {a_at + at[0], b_at + at[1], z * m * n};
  }
  ANYWHERE Column column(const Batch&, int n_at) const { return n_at; }
  ANYWHERE float a(const Batch& z, int m_at, int k_at) const { return z.a[m_at * a_row + k_at * a_step]; }
  ANYWHERE float b(const Batch& z, Column c, int k_at) const { return z.b[k_at * b_row + c * b_column]; }
  ANYWHERE void finish(const Batch& z, int m_at, Column c, float sum) const {
    const int at = z.first + m_at * n + c;
    y[at] = epilogue(sum, m_at * bias_row + c * bias_column, at);
  }
};

// One number of y by the lanes of a warp, for a b whose columns lie together along the depth.
struct DotRow {
  Matrices of;
  Divider n, m;
  template <class Lanes>
  ANYWHERE void operator()(const Lanes& lanes, int row) const {
    int z = row;
    const int c = n.cut(z), r = m.cut(z);
    const Matrices::Batch batch = of.batch(z);
    float sum = 0;
    for (int k = lanes.index(); k < of.k; k += lanes.count()) sum += of.a(batch, r, k) * of.b(batch, c, k);
    sum = lanes.sum(sum);
    if (lanes.index() == 0) of.finish(batch, r, c, sum);
  }
};
// One number of y by one thread: neighbours read neighbouring columns.
struct DotEach {
  DotRow row;
  ANYWHERE void operator()(int i) const { row(OneLane{}, i); }
};

// Strides of the bias along rows and columns of y; none when it differs between the matrices of a batch.
bool bias_fits(const Dims& bias, const Dims& y, bool row_vector, bool column_vector, Matrices& made) {
  if (bias.size() > y.size()) return false;
  Dims strides = broadcast_strides(bias, y);
  if (!column_vector) made.bias_column = static_cast<int>(strides.back()), strides.pop_back();
  if (!row_vector) made.bias_row = static_cast<int>(strides.back()), strides.pop_back();
  return std::all_of(strides.begin(), strides.end(), [](int64_t s) { return s == 0; });
}

// Where every row of every matrix of a meets the same b, they are one tall matrix.
void make_tall(Matrices& made) {
  for (int axis = 0; axis < made.batch_walk.rank; ++axis)
    if (made.batch_walk.stride[1][axis] != 0) return;
  const bool together = made.batch_walk.rank == 1 && made.batch_walk.stride[0][0] == made.m * made.k;
  if (made.count < 2 || !together || made.a_row != made.k || made.a_step != 1 || made.bias_row != 0) return;
  made.m *= made.count;
  made.count = 1;
}

std::optional<Matrices> matrices_of(const MatMul& op, const KernelQuery& q) {
  const Dims a = q.in[0].shape.numbers(), b = q.in[1].shape.numbers();
  const bool row_vector = a.size() == 1, column_vector = b.size() == 1;
  const MatrixProduct p = matrix_product(a, b, op.transpose_a, op.transpose_b);
  Matrices made;
  made.m = static_cast<int>(p.m), made.n = static_cast<int>(p.n), made.k = static_cast<int>(p.k);
  made.a_row = static_cast<int>(p.a_row), made.a_step = static_cast<int>(p.a_step);
  made.b_row = static_cast<int>(p.b_row), made.b_column = static_cast<int>(p.b_column);
  const Dims batch(p.y.begin(), p.y.end() - (row_vector ? 0 : 1) - (column_vector ? 0 : 1));
  const auto strides = [&](const Dims& dims, bool vector, int64_t unit) {
    Dims s = broadcast_strides(Dims(dims.begin(), dims.end() - (vector ? 1 : 2)), batch);
    for (int64_t& v : s) v *= unit;
    return s;
  };
  const auto walk = make_walk<2>(batch, {strides(a, row_vector, p.m * p.k), strides(b, column_vector, p.k * p.n)});
  if (!walk) return std::nullopt;
  made.batch_walk = *walk;
  made.count = walk->count;
  if (q.has(2) && !bias_fits(q.in[2].shape.numbers(), p.y, row_vector, column_vector, made)) return std::nullopt;
  make_tall(made);
  return made;
}

Support supports(const MatMul& op, const KernelQuery& q) {
  if (Support s = plain_floats(q); !s) return s;
  if (op.output) return no("the output is quantized");
  if (q.has(3) && !(q.in[3].shape == q.out[0].shape)) return no("the residual is broadcast: " + q.in[3].text());
  return matrices_of(op, q) ? yes() : no("the bias differs between matrices, or too many batch axes");
}

void launch(const Matrices& of, int count, void* queue) {
  if (of.m > kFewRows) return launch_product(of, queue);
  const DotRow row{of, Divider(of.n), Divider(of.m)};
  if (of.b_row == 1) launch_rows(row, count, queue);
  else launch_each(DotEach{row}, count, queue);
}

std::unique_ptr<Step> prepare(const MatMul& op, const KernelQuery& q) {
  Matrices made = *matrices_of(op, q);
  const EpilogueForm form(op.activation, op.add_order);
  const int count = elements_of(q.out[0]);
  const float alpha = op.alpha;
  auto step = make_step(q, [=](const LaunchArgs& args) {
    Matrices of = made;
    of.a_at = in<float>(args, 0), of.b_at = in<float>(args, 1), of.y = out<float>(args);
    of.epilogue = form.begin(args);
    of.epilogue.alpha = alpha;
    launch(of, count, args.queue);
    form.end(args, count);
  });
  step->flops = 2.0 * count * made.k;
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_matmul_kernel() { return std::make_unique<KernelFor<MatMul, supports, prepare>>("cuda.matmul"); }

}  // namespace onecard::cuda
