#include "lib/ops/matmul.h"

#include <cstring>

#include "lib/ops/binary.h"
#include "lib/ops/broadcast_index.h"
#include "lib/ops/integer_range.h"
#include "lib/ops/integer_sum.h"
#include "lib/ops/matrix_product.h"
#include "lib/ops/operands.h"
#include "lib/ops/quantize.h"

namespace onecard {
DEFINE_OP(MatMul)
namespace {

void require_operand(const TensorType& t, std::string_view which) {
  require(t.container == Container::tensor, ErrorKind::model, which, " must be a tensor, not ", t);
  require(t.quant ? is_integer(t.dtype) : is_numeric(t.dtype), ErrorKind::model, which, " of a matrix product may not be ", t);
}

// y's shape must not grow by an operand that is added to it.
void require_added(const Shape& y, const Shape& added, std::string_view which) {
  if (!y.has_rank() || !added.has_rank()) return;
  const Shape sum = broadcast(y, added);
  bool same = sum.rank() == y.rank();
  for (int64_t i = 0; same && i < y.rank(); ++i) same = !y[i].is_number() || !sum[i].is_number() || y[i] == sum[i];
  require(same, ErrorKind::model, which, " ", added, " does not broadcast to ", y);
}

// Whether a quantization has one scale, or one per index of `axis` alone.
bool per_axis(const Quantization& q, int64_t axis, int64_t rank) {
  if (q.block != 0) return false;
  return q.axis < 0 || (axis >= 0 && q.axis == axis && q.axis < rank);
}

// How the integer sums of both-quantized operands turn into reals; none where the scales allow no common sum.
struct IntegerForm {
  int32_t a_zero = 0;
  const Quantization* b = nullptr;
  double a_scale = 1;
  int32_t b_zero(int64_t n) const { return b->zero_at(b->axis < 0 ? 0 : static_cast<size_t>(n)); }
  double scale(int64_t n) const { return a_scale * static_cast<double>(b->scale[b->axis < 0 ? 0 : static_cast<size_t>(n)]); }
};
std::optional<IntegerForm> integer_form(const Tensor& a, const Tensor& b, Transpose2 transpose_b) {
  const auto &qa = a.type().quant, &qb = b.type().quant;
  if (!qa || !qb || info(a.dtype()).bits < 8 || info(b.dtype()).bits < 8 || info(a.dtype()).bits > 16 || info(b.dtype()).bits > 16)
    return std::nullopt;
  const int64_t column_axis = b.rank() == 1 ? -1 : b.rank() - (transpose_b == Transpose2::yes ? 2 : 1);
  if (!per_axis(*qa, -1, a.rank()) || !per_axis(*qb, column_axis, b.rank())) return std::nullopt;
  return IntegerForm{qa->zero_point[0], qb.get(), static_cast<double>(qa->scale[0])};
}

// The real-valued end of the product, one row at a time.
struct Epilogue {
  const MatMul& op;
  const std::vector<double>& bias;  // empty or as many as y
  const std::vector<double>& residual;
  void operator()(int64_t at, std::span<double> row) const {
    for (size_t n = 0; n < row.size(); ++n) {
      const size_t i = static_cast<size_t>(at) + n;
      const double acc = row[n] * static_cast<double>(op.alpha) + (bias.empty() ? 0.0 : bias[i]);
      row[n] = finish(acc, residual.empty() ? 0.0 : residual[i], op.activation, op.add_order);
    }
  }
};

// Elements of an added operand, repeated to y's extents.
std::vector<double> spread(const Tensor* t, const Dims& y) {
  if (!t || !t->has_value()) return {};
  const auto values = to_doubles(t->type().quant ? dequantize_tensor(*t) : t->alias(t->type()));
  std::vector<double> out(static_cast<size_t>(element_count(y)));
  for_each_broadcast(y, std::array{t->dims()},
                     [&](int64_t i, const std::array<int64_t, 1>& at) { out[static_cast<size_t>(i)] = values[static_cast<size_t>(at[0])]; });
  return out;
}

// Exact sums of integers modulo 2^64, with bias and residual.
template <class T>
void integer_product(const MatrixProduct& p, Inputs in, Tensor& y) {
  const auto a = in[0]->data<T>(), b = in[1]->data<T>();
  const auto to = y.data<T>();
  multiply<uint64_t>(
      p, [&](int64_t i, int64_t) { return static_cast<uint64_t>(a[static_cast<size_t>(i)]); },
      [&](int64_t i, int64_t) { return static_cast<uint64_t>(b[static_cast<size_t>(i)]); },
      [&](int64_t at, std::span<uint64_t> row) {
        for (size_t n = 0; n < row.size(); ++n) to[static_cast<size_t>(at) + n] = wrap<T>(row[n]);
      });
  for (size_t extra = 2; extra < in.size(); ++extra) {
    if (!in[extra] || !in[extra]->has_value()) continue;
    const auto added = in[extra]->data<T>();
    for_each_broadcast(y.dims(), std::array{in[extra]->dims()}, [&](int64_t i, const std::array<int64_t, 1>& at) {
      auto& v = to[static_cast<size_t>(i)];
      v = wrap<T>(static_cast<uint64_t>(v) + static_cast<uint64_t>(added[static_cast<size_t>(at[0])]));
    });
  }
}

// Finished sums of a's codes, made here, and b's integers.
template <class StoreRow>
void dynamic_product(const MatMul& op, const MatrixProduct& p, const Tensor& a, const Tensor& b, StoreRow&& store_row) {
  const CentredCodes codes = centred_codes(a.data<float>(), dynamic_part(a.dims(), op.dynamic));
  const auto bs = to_ints(b);
  const Quantization& qb = *b.type().quant;
  const auto column = [&](int64_t n) { return qb.axis < 0 ? size_t{0} : static_cast<size_t>(n); };
  multiply<int64_t>(
      p, [&](int64_t i, int64_t) { return int64_t{codes.codes[static_cast<size_t>(i)]}; },
      [&](int64_t i, int64_t n) { return bs[static_cast<size_t>(i)] - qb.zero_at(column(n)); },
      [&](int64_t at, std::span<int64_t> sums) {
        const float scale = p.k == 0 ? 1.0f : codes.scale_at(p.a_at[static_cast<size_t>(at / (p.m * p.n))] + at / p.n % p.m * p.a_row);
        std::vector<double> row(sums.size());
        for (size_t n = 0; n < row.size(); ++n)
          row[n] = static_cast<double>(sums[n]) * static_cast<double>(scale * qb.scale[qb.scale.size() == 1 ? 0 : n]);
        store_row(at, row);
      });
}

// store(i, value) takes the finished real numbers.
template <class Store>
void real_product(const MatMul& op, const MatrixProduct& p, const Tensor& a, const Tensor& b, const Epilogue& end, Store&& store) {
  const auto store_row = [&](int64_t at, std::span<double> row) {
    end(at, row);
    for (size_t n = 0; n < row.size(); ++n) store(static_cast<size_t>(at) + n, row[n]);
  };
  if (op.dynamic != Dynamic::no) return dynamic_product(op, p, a, b, store_row);
  if (const auto form = integer_form(a, b, op.transpose_b)) {
    visit_numeric(a.dtype(), [&]<class A>(TypeTag<A>) {
      visit_numeric(b.dtype(), [&]<class B>(TypeTag<B>) {
        if constexpr (std::is_integral_v<A> && std::is_integral_v<B> && sizeof(A) <= 2 && sizeof(B) <= 2) {
          multiply<int64_t>(
              p, [&](int64_t i, int64_t) { return static_cast<int64_t>(a.data<A>()[static_cast<size_t>(i)]) - form->a_zero; },
              [&](int64_t i, int64_t n) { return static_cast<int64_t>(b.data<B>()[static_cast<size_t>(i)]) - form->b_zero(n); },
              [&](int64_t at, std::span<int64_t> sums) {
                std::vector<double> row(sums.size());
                for (size_t n = 0; n < row.size(); ++n) row[n] = static_cast<double>(sums[n]) * form->scale(static_cast<int64_t>(n));
                store_row(at, row);
              });
        }
      });
    });
    return;
  }
  const auto x = to_doubles(a.type().quant ? dequantize_tensor(a) : a.alias(a.type()));
  const auto w = to_doubles(b.type().quant ? dequantize_tensor(b) : b.alias(b.type()));
  multiply<double>(
      p, [&](int64_t i, int64_t) { return x[static_cast<size_t>(i)]; }, [&](int64_t i, int64_t) { return w[static_cast<size_t>(i)]; }, store_row);
}

int64_t column_axis(const Tensor& b, Transpose2 transpose_b) { return b.rank() == 1 ? -1 : b.rank() - (transpose_b == Transpose2::yes ? 2 : 1); }

// Exact sums and the bias in their units, rescaled to codes.
void rescale(const MatMul& op, const MatrixProduct& p, Inputs in, Tensor& y) {
  const Tensor &a = *in[0], &b = *in[1];
  const auto as = to_ints(a), bs = to_ints(b);
  const Quantization &qa = *a.type().quant, &qb = *b.type().quant;
  const auto channel = [&](int64_t n) { return qb.scale.size() == 1 && qb.zero_point.size() == 1 ? size_t{0} : static_cast<size_t>(n); };
  const Tensor* bias = in.size() > 2 ? in[2] : nullptr;
  const auto offset = [&](size_t n) { return !bias ? 0.0 : static_cast<double>(bias->int_at(bias->elements() == 1 ? 0 : static_cast<int64_t>(n))); };
  const IntegerRange range = integer_range(y.dtype());
  multiply<int64_t>(
      p, [&](int64_t i, int64_t) { return as[static_cast<size_t>(i)] - qa.zero_point[0]; },
      [&](int64_t i, int64_t n) { return bs[static_cast<size_t>(i)] - qb.zero_at(channel(n)); },
      [&](int64_t at, std::span<int64_t> row) {
        for (size_t n = 0; n < row.size(); ++n) {
          const float factor = rescale_factor(qa.scale[0], qb.scale[qb.scale.size() == 1 ? 0 : n], op.output->scale[0]);
          y.set_int(at + static_cast<int64_t>(n),
                    range.saturate(rescaled(static_cast<double>(row[n]) + offset(n), factor, op.output->zero_point[0], op.activation)));
        }
      });
}

void check_dynamic(const MatMul& op, const TensorType& a, const TensorType& b) {
  if (op.dynamic == Dynamic::no) return;
  require(op.dynamic != Dynamic::image, ErrorKind::model, "a matrix product has no images to quantize one by one");
  const bool matrices = (!a.shape.has_rank() || a.shape.rank() >= 2) && b.shape.has_rank() && b.shape.rank() >= 2;
  require(matrices && op.transpose_a == Transpose2::no, ErrorKind::model, "rows of ", a, " cannot be quantized while running, beside ", b);
  require_dynamic(a, b, b.shape.rank() - (op.transpose_b == Transpose2::yes ? 2 : 1));
}

}  // namespace

std::vector<TensorType> MatMul::infer(const InferContext& in) const {
  const TensorType &a = in.type(0), &b = in.type(1);
  require_operand(a, "a");
  require_operand(b, "b");
  require(a.quant || b.quant || a.dtype == b.dtype, ErrorKind::model, "a matrix product of different types: ", a, " and ", b);
  const DType real = a.quant && b.quant ? DType::f32 : a.quant ? b.dtype : a.dtype;
  require(is_arithmetic_float(real) || (alpha == 1 && activation.is_identity() && !output), ErrorKind::model,
          "an integer matrix product has no alpha, activation or output scale");
  check_dynamic(*this, a, b);
  Shape y = matrix_product_shape(a.shape, b.shape, transpose_a, transpose_b);
  for (size_t extra = 2; extra < 4; ++extra) {
    if (!in.has(extra)) continue;
    const TensorType& t = in.type(extra);
    const bool stored = t.quant && is_arithmetic_float(real) && (extra == 3 || (t.dtype == DType::i32 && a.quant && b.quant));
    require(t.container == Container::tensor && (t.dtype == real || stored), ErrorKind::model, extra == 2 ? "bias" : "residual", " may not be ", t,
            " in a product of ", info(real).name);
    require_added(y, t.shape, extra == 2 ? "bias" : "residual");
  }
  if (output) return {TensorType(output_dtype, std::move(y), output)};
  return {TensorType(real, std::move(y))};
}

void MatMul::reference(Inputs in, Outputs out) const {
  const Tensor &a = *in[0], &b = *in[1];
  const MatrixProduct p = matrix_product(a.dims(), b.dims(), transpose_a, transpose_b);
  const bool qa = a.type().quant != nullptr, qb = b.type().quant != nullptr;
  const DType real = qa && qb ? DType::f32 : qa ? b.dtype() : a.dtype();
  Tensor& y = out[0];
  if (output) {
    const TensorType type(output_dtype, Shape::of(p.y), output);
    if (!y.has_value() || !(y.type() == type)) y = Tensor(type);
  } else {
    shape_output(y, real, p.y);
  }
  if (is_integer(real)) {
    return visit_numeric(real, [&]<class T>(TypeTag<T>) {
      if constexpr (std::is_integral_v<T>) integer_product<T>(p, in, y);
    });
  }
  const TensorType* bias_type = in.size() > 2 && in[2] ? &in[2]->type() : nullptr;
  if (alpha == 1 && !(in.size() > 3 && in[3]) &&
      rescales_integers({&a.type(), &b.type(), bias_type, column_axis(b, transpose_b)}, activation, output))
    return rescale(*this, p, in, y);
  const auto bias = spread(in.size() > 2 ? in[2] : nullptr, p.y), residual = spread(in.size() > 3 ? in[3] : nullptr, p.y);
  const Epilogue end{*this, bias, residual};
  if (output) {
    Tensor f(DType::f32, p.y);
    real_product(*this, p, a, b, end, [to = f.data<float>()](size_t i, double v) { to[i] = static_cast<float>(v); });
    const Tensor q = quantize_tensor(f, output_dtype, output);
    if (q.bytes() > 0) std::memcpy(y.raw(), q.raw(), static_cast<size_t>(q.bytes()));
    return;
  }
  visit_float(real,
              [&]<class T>(TypeTag<T>) { real_product(*this, p, a, b, end, [to = y.data<T>()](size_t i, double v) { to[i] = narrow<T>(v); }); });
}

}  // namespace onecard
