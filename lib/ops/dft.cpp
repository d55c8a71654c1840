#include "lib/ops/dft.h"

#include "lib/base/parallel.h"
#include "lib/ops/fourier.h"
#include "lib/ops/real_values.h"

namespace onecard {

namespace {

constexpr OnnxName kNames[] = {{"", "DFT", 17}};
constexpr int64_t kLengthLimit = int64_t{1} << 32;

int64_t resolved_axis(int64_t axis, int64_t rank) {
  require(axis >= -rank && axis < rank, ErrorKind::model, "axis ", axis, " is outside an input of rank ", rank);
  if (axis < 0) axis += rank;
  require(axis != rank - 1, ErrorKind::model, "the transform cannot run along the axis of real and imaginary parts");
  return axis;
}

bool gives_real(const Dft& op) { return op.inverse == Inverse::yes && op.sides == Sides::one; }

// The transform's length when none is given: the axis, or the even length a one-sided spectrum stands for.
Dim default_length(const Dft& op, const Dim& extent) { return gives_real(op) ? (extent - 1) * 2 : extent; }

Dim frequencies(const Dft& op, const Dim& length) { return op.sides == Sides::one && op.inverse == Inverse::no ? length / 2 + 1 : length; }

}  // namespace

std::vector<TensorType> Dft::infer(const InferContext& in) const {
  const TensorType& x = in.type(0);
  visit_float(x.dtype, [](auto) {});
  if (!x.shape.has_rank()) return {x};
  const int64_t rank = x.shape.rank();
  require(rank >= 2, ErrorKind::model, "expects at least two axes, the shape is ", x.shape);
  const auto parts = x.shape[rank - 1].maybe();
  require(!parts || *parts == 1 || *parts == 2, ErrorKind::model, "the last extent is ", x.shape[rank - 1].text(),
          "; it must be 1 (real) or 2 (complex)");
  TensorType y(x.dtype, x.shape);
  y.shape[rank - 1] = gives_real(*this) ? 1 : 2;
  const auto axes = in.has(2) ? in.ints(2) : std::optional(std::vector<int64_t>{-2});
  if (!axes) {
    for (int64_t i = 0; i + 1 < rank; ++i) y.shape[i] = Dim::unknown();
    return {y};
  }
  require(axes->size() == 1, ErrorKind::model, "axis must be one number");
  const int64_t axis = resolved_axis((*axes)[0], rank);
  Dim length = default_length(*this, x.shape[axis]);
  if (in.has(1)) {
    const auto given = in.contents(1);
    length = given && given->size() == 1 ? (*given)[0] : Dim::unknown();
  }
  if (const auto n = length.maybe()) require(*n >= 1 && *n <= kLengthLimit, ErrorKind::model, "dft_length is ", *n);
  y.shape[axis] = frequencies(*this, length);
  return {y};
}

namespace {

// One transform of `length` points from a strided line of x, which is cut or filled with zeros.
struct DftLine {
  const Dft& op;
  int64_t extent, length, parts, inner;

  std::vector<std::complex<double>> run(const double* x) const {
    std::vector<std::complex<double>> v(static_cast<size_t>(length));
    const int64_t have = std::min(extent, gives_real(op) ? length / 2 + 1 : length);
    for (int64_t i = 0; i < have; ++i) {
      const double* at = x + i * inner * parts;
      v[static_cast<size_t>(i)] = {at[0], parts == 2 ? at[1] : 0.0};
    }
    // The half that a one-sided spectrum leaves out mirrors the other; the ends are real.
    for (int64_t i = length / 2 + 1; gives_real(op) && i < length; ++i) v[static_cast<size_t>(i)] = std::conj(v[static_cast<size_t>(length - i)]);
    if (gives_real(op)) v[0] = v[0].real();
    if (gives_real(op) && length % 2 == 0) v[static_cast<size_t>(length / 2)] = v[static_cast<size_t>(length / 2)].real();
    fourier(v, op.inverse == Inverse::yes ? 1 : -1);
    if (op.inverse == Inverse::yes)
      for (auto& value : v) value /= static_cast<double>(length);
    return v;
  }
};

}  // namespace

void Dft::reference(Inputs in, Outputs out) const {
  const Dims dims = in[0]->dims();
  const auto rank = static_cast<int64_t>(dims.size());
  require(out[0].rank() == rank, ErrorKind::model, "dft_length and axis must be single integers");
  const int64_t axis = resolved_axis(in.size() > 2 && in[2] ? in[2]->int_at(0) : -2, rank);
  const int64_t extent = dims[static_cast<size_t>(axis)], out_extent = out[0].dims()[static_cast<size_t>(axis)], out_parts = out[0].dims().back();
  const int64_t length = in.size() > 1 && in[1] ? in[1]->int_at(0) : default_length(*this, extent).number();
  if (out[0].elements() == 0) return;
  int64_t outer = 1, inner = 1;
  for (int64_t i = 0; i < axis; ++i) outer *= dims[static_cast<size_t>(i)];
  for (int64_t i = axis + 1; i + 1 < rank; ++i) inner *= dims[static_cast<size_t>(i)];
  const DftLine line{*this, extent, length, dims.back(), inner};
  const std::vector<double> x = to_doubles(*in[0]);
  parallel_for(outer * inner, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto v = line.run(x.data() + (i / inner * extent * inner + i % inner) * line.parts);
      for (int64_t k = 0; k < out_extent; ++k) {
        const double numbers[] = {v[static_cast<size_t>(k)].real(), v[static_cast<size_t>(k)].imag()};
        store_doubles(out[0], ((i / inner * out_extent + k) * inner + i % inner) * out_parts,
                      std::span(numbers).first(static_cast<size_t>(out_parts)));
      }
    }
  });
}

std::optional<OnnxForm> Dft::to_onnx(const Node&) const {
  return OnnxForm{"DFT", {{"inverse", int64_t{inverse == Inverse::yes}}, {"onesided", int64_t{sides == Sides::one}}}, ""};
}

const std::span<const OnnxName> Dft::kOnnx{kNames};

std::vector<Value*> Dft::from_onnx(const OnnxNode& node) {
  Dft op;
  op.inverse = node.attr<int64_t>("inverse", 0) != 0 ? Inverse::yes : Inverse::no;
  op.sides = node.attr<int64_t>("onesided", 0) != 0 ? Sides::one : Sides::two;
  Value* axis = node.opset < 20 ? node.constant(Tensor::scalar(node.attr<int64_t>("axis", 1))) : node.input(2);
  return node.add_all(std::move(op), {node.needed(0), node.input(1), axis});
}

DEFINE_OP(Dft)

}  // namespace onecard
