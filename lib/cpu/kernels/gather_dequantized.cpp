// Gather of rows of a table of 4- or 8-bit integers, which stays as it is stored: only the rows asked for become real numbers.
#include "lib/ops/gather_dequantized.h"

#include <algorithm>
#include <cstring>

#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"
#include "lib/ops/axes.h"

namespace onecard {
namespace {

constexpr int64_t kPiece = 256;  // elements of a row made real at once

// x as [outer, extent, inner]; runs of one scale lie in a row.
struct Table {
  DType codes = DType::i8, y = DType::f32;
  QuantizationPtr quant;
  int64_t outer = 1, extent = 1, inner = 1, count = 1;  // rows per outer index, elements of a row; indices
  int64_t run = 1;                                      // neighbours of a row that share a scale
  int64_t row_scales = 0;                               // scales of a row; 0: row r has the one at r, or `one` serves all
  bool one = false;
};

bool is_codes(DType t) { return t == DType::i8 || t == DType::u8 || t == DType::i4 || t == DType::u4; }

// None where the scales of a row do not lie side by side.
std::optional<Table> table_of(const GatherDequantized& op, const KernelQuery& q) {
  const TensorType& x = q.in[0];
  if (!x.quant || !is_codes(x.dtype) || !x.is_static()) return std::nullopt;
  const Dims dims = x.shape.numbers();
  const auto rank = static_cast<int64_t>(dims.size());
  const int64_t axis = checked_axis(op.axis, rank);
  const AxisView view = axis_view(dims, axis);
  Table t{x.dtype, op.dtype, x.quant, view.outer, view.extent, view.inner, element_count(q.in[1].shape.numbers()), view.inner, 0, false};
  const Quantization& s = *x.quant;
  if (s.axis < 0) {
    t.one = true;
    return t;
  }
  if (s.block == 0 && s.axis == axis && view.outer == 1) return t;
  if (s.axis != rank - 1 || axis == rank - 1) return std::nullopt;
  const int64_t last = dims.back(), block = std::max<int64_t>(s.block, 1), per_last = last / block + (last % block != 0);
  if (s.block == 0 || last == 0 || view.inner % last != 0 || (last % block != 0 && view.inner != last)) return std::nullopt;
  t.run = std::min(block, last);
  t.row_scales = view.inner / last * per_last;
  return t;
}

int64_t place_of(int64_t index, int64_t extent) {
  require(index >= -extent && index < extent, ErrorKind::model, "gather: index ", index, " of an axis of ", extent);
  return index < 0 ? index + extent : index;
}

// Elements [at, at + n) of the codes as numbers less `zero` times `scale`.
void decode(DType type, const uint8_t* codes, int64_t at, int64_t n, int32_t zero, float scale, float* to) {
  switch (type) {
    case DType::i8:
      for (int64_t i = 0; i < n; ++i) to[i] = static_cast<float>(static_cast<int8_t>(codes[at + i]) - zero) * scale;
      return;
    case DType::u8:
      for (int64_t i = 0; i < n; ++i) to[i] = static_cast<float>(codes[at + i] - zero) * scale;
      return;
    default:
      for (int64_t i = 0; i < n; ++i) {
        const int32_t code = (codes[(at + i) / 2] >> ((at + i) % 2 * 4)) & 15;
        to[i] = static_cast<float>((type == DType::i4 && code > 7 ? code - 16 : code) - zero) * scale;
      }
  }
}

void store(DType type, const float* from, int64_t n, char* y, int64_t at) {
  if (type == DType::f32) std::memcpy(y + 4 * at, from, static_cast<size_t>(4 * n));
  else if (type == DType::f16) std::transform(from, from + n, reinterpret_cast<Half*>(y) + at, [](float v) { return Half(v); });
  else std::transform(from, from + n, reinterpret_cast<BFloat16*>(y) + at, [](float v) { return BFloat16(v); });
}

void copy_row(const Table& t, const uint8_t* codes, int64_t row, char* y, int64_t to) {
  float real[kPiece];
  for (int64_t i = 0; i < t.inner;) {
    const int64_t n = std::min({kPiece, t.inner - i, t.run - i % t.run});
    const auto scale = static_cast<size_t>(t.one ? 0 : t.row_scales ? row * t.row_scales + i / t.run : row);
    decode(t.codes, codes, row * t.inner + i, n, t.quant->zero_at(scale), t.quant->scale[scale], real);
    store(t.y, real, n, y, to * t.inner + i);
    i += n;
  }
}

template <class Index>
void gather(const Table& t, const LaunchArgs& args) {
  const auto* codes = static_cast<const uint8_t*>(args.in[0]);
  const auto* indices = static_cast<const Index*>(args.in[1]);
  auto* y = static_cast<char*>(args.out[0]);
  in_parallel(t.outer * t.count, std::max<int64_t>(1, (int64_t{1} << 13) / std::max<int64_t>(t.inner, 8)), [&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; ++at)
      copy_row(t, codes, at / t.count * t.extent + place_of(static_cast<int64_t>(indices[at % t.count]), t.extent), y, at);
  });
}

Support supports(const GatherDequantized& op, const KernelQuery& q) {
  if (!table_of(op, q)) return no("the scales of a row do not lie side by side: " + std::string(info(q.in[0].dtype).name) + q.in[0].shape.text());
  if (!q.in[1].is_static()) return no("needs static tensors, got " + q.in[1].text());
  const DType t = q.in[1].dtype;
  return t == DType::i64 || t == DType::i32 ? yes() : no("indices are " + q.in[1].text());
}

std::unique_ptr<Step> prepare(const GatherDequantized& op, const KernelQuery& q) {
  return plain_step(q, [t = *table_of(op, q), wide = q.in[1].dtype == DType::i64](const LaunchArgs& args) {
    wide ? gather<int64_t>(t, args) : gather<int32_t>(t, args);
  });
}

}  // namespace

std::unique_ptr<Kernel> make_gather_dequantized_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<GatherDequantized, supports, prepare>>("cpu.gather_dequantized");
}

}  // namespace onecard
