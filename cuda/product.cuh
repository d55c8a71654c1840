#pragma once
#include "cuda/functions.h"
#include "cuda/launch.cuh"
#include "cuda/step.h"
#include "lib/ops/epilogue.h"

namespace onecard::cuda {

// The end of a convolution or matrix product as far as it costs nothing: y = clip(alpha * sum + bias [+ residual]) [+ residual].
struct Epilogue {
  const float* bias = nullptr;
  const float* residual = nullptr;                    // as y
  float alpha = 1, low = -INFINITY, high = INFINITY;
  bool residual_last = false;
  ANYWHERE float operator()(float sum, int bias_at, int at) const {
    const float v = alpha * sum + (bias ? bias[bias_at] : 0.0f), r = residual ? residual[at] : 0.0f;
    return residual_last ? clip(v, low, high) + r : clip(v + r, low, high);
  }
};

// What is left to do for functions that are more than a clip: y = f(y) [+ residual].
struct FinishEach {
  float* y;
  const float* residual;
  Activation f;
  ANYWHERE void operator()(int i) const { y[i] = apply_float(f, y[i]) + (residual ? residual[i] : 0.0f); }
};

// The two halves of an epilogue, chosen when a step is made.
struct EpilogueForm {
  Epilogue first;
  Activation second;                                  // identity: there is no second half
  bool adds_last = false;

  EpilogueForm(const Activation& f, AddOrder order) : adds_last(order == AddOrder::after_activation) {
    if (f.fn == Fn::relu) first.low = 0;
    else if (f.fn == Fn::clip) first.low = f.alpha, first.high = f.beta;
    else second = f;
    first.residual_last = adds_last;
  }
  // With the pointers of one launch.
  Epilogue begin(const LaunchArgs& args) const {
    Epilogue e = first;
    e.bias = in<float>(args, 2);
    if (second.is_identity() || !adds_last) e.residual = in<float>(args, 3);
    return e;
  }
  void end(const LaunchArgs& args, int count) const {
    if (!second.is_identity()) launch_each(FinishEach{out<float>(args), adds_last ? in<float>(args, 3) : nullptr, second}, count, args.queue);
  }
};

// A product y = epilogue(a · b) by blocks of Rows x Columns, each thread with M x N sums. Operands says where the numbers are:
//   rows(), columns(), depth(), batches();  batch(z), column(batch, n): what is worth working out once;
//   a(batch, m, k), b(batch, column, k);  finish(batch, m, column, sum): stores one number;
//   a_by_rows(), b_by_columns(): whether neighbours along m and n (else along k) lie together in memory.
template <class Operands, int Rows, int Columns, int Depth, int M, int N>
struct TiledProduct {
  static constexpr int kThreads = (Rows / M) * (Columns / N), kDepth = Depth, kPad = 4;
  static_assert(kThreads == kBlock && kThreads % Columns == 0 && Rows * Depth % kThreads == 0 && Columns * Depth % kThreads == 0);
  static_assert(M % 4 == 0 && N % 4 == 0);

  struct Shared {
    alignas(16) float a[Depth][Rows + kPad];
    alignas(16) float b[Depth][Columns + kPad];
  };
  struct Sums {
    float at[M][N];
  };
  struct Place {
    typename Operands::Batch batch;
    typename Operands::Column column;                 // the one this thread loads
    int first_row, first_column, thread;
  };

  Operands of;

  ANYWHERE int batches() const { return of.batches(); }
  ANYWHERE int depth() const { return of.depth(); }
  ANYWHERE int row_blocks() const { return ceil_divide(of.rows(), Rows); }
  int64_t all_blocks() const { return int64_t{row_blocks()} * ceil_divide(of.columns(), Columns); }
  int blocks() const { return static_cast<int>(all_blocks()); }

  ANYWHERE Place place(int block, int batch, int thread) const {
    Place p;
    p.batch = of.batch(batch);
    p.first_row = block % row_blocks() * Rows;
    p.first_column = block / row_blocks() * Columns;
    p.thread = thread;
    p.column = of.column(p.batch, p.first_column + thread % Columns);
    return p;
  }

  // This thread's share of the depth [k0, k0 + Depth) of both operands; zeros beyond the edges.
  ANYWHERE void load(Shared& s, const Place& p, int k0) const {
    for (int i = p.thread; i < Rows * Depth; i += kThreads) {
      const int k = of.a_by_rows() ? i / Rows : i % Depth, m = of.a_by_rows() ? i % Rows : i / Depth;
      const bool inside = p.first_row + m < of.rows() && k0 + k < of.depth();
      s.a[k][m] = inside ? of.a(p.batch, p.first_row + m, k0 + k) : 0.0f;
    }
    for (int i = p.thread; i < Columns * Depth; i += kThreads) {
      const int k = of.b_by_columns() ? i / Columns : i % Depth, n = of.b_by_columns() ? i % Columns : i / Depth;
      const bool inside = p.first_column + n < of.columns() && k0 + k < of.depth();
      const auto column = of.b_by_columns() ? p.column : of.column(p.batch, p.first_column + n);
      s.b[k][n] = inside ? of.b(p.batch, column, k0 + k) : 0.0f;
    }
  }

  // A thread's rows (and columns) are groups of four that lie together, so that they are read 16 bytes at a time without bank conflicts.
  ANYWHERE static int row_of(int thread, int i) { return i / 4 * (Rows / (M / 4)) + thread / (Columns / N) * 4 + i % 4; }
  ANYWHERE static int column_of(int thread, int j) { return j / 4 * (Columns / (N / 4)) + thread % (Columns / N) * 4 + j % 4; }

  ANYWHERE void multiply(const Shared& s, const Place& p, Sums& sums) const {
#ifdef __CUDA_ARCH__
#pragma unroll
#endif
    for (int k = 0; k < Depth; ++k) {
      float a[M], b[N];
      for (int i = 0; i < M; ++i) a[i] = s.a[k][row_of(p.thread, i)];
      for (int j = 0; j < N; ++j) b[j] = s.b[k][column_of(p.thread, j)];
      for (int i = 0; i < M; ++i)
        for (int j = 0; j < N; ++j) sums.at[i][j] += a[i] * b[j];
    }
  }

  ANYWHERE void store(const Place& p, const Sums& sums) const {
#ifdef __CUDA_ARCH__
#pragma unroll
#endif
    for (int j = 0; j < N; ++j) {
      const int n = p.first_column + column_of(p.thread, j);
      if (n >= of.columns()) continue;
      const auto column = of.column(p.batch, n);
#ifdef __CUDA_ARCH__
#pragma unroll
#endif
      for (int i = 0; i < M; ++i) {
        const int m = p.first_row + row_of(p.thread, i);
        if (m < of.rows()) of.finish(p.batch, m, column, sums.at[i][j]);
      }
    }
  }
};

// Large blocks where there are enough of them to fill a GPU of about this many processors, else small ones.
constexpr int64_t kProcessors = 128;
template <class Operands>
void launch_product(const Operands& of, void* queue) {
  const TiledProduct<Operands, 128, 128, 8, 8, 8> large{of};
  const TiledProduct<Operands, 64, 64, 16, 4, 4> small{of};
  require(small.all_blocks() <= kMostElements, ErrorKind::does_not_fit, "a product of ", of.rows(), " x ", of.columns(), " is too large");
  if (large.all_blocks() * of.batches() >= kProcessors && of.rows() > 64 && of.columns() > 64) launch_tiles(large, queue);
  else launch_tiles(small, queue);
}

}  // namespace onecard::cuda
