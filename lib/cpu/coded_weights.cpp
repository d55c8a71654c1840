#include "lib/cpu/coded_weights.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "lib/base/parallel.h"
#include "lib/cpu/gemm.h"

namespace onecard {
namespace {

// Whether s is a normal number of f16.
bool is_half(float s) {
  const uint32_t bits = std::bit_cast<uint32_t>(s), exponent = (bits >> 23) & 0xff;
  return (bits & 0x1fff) == 0 && exponent >= 113 && exponent <= 142;
}

// What is added to a stored integer, as a number, in the form.
int32_t shift_of(DType t, const CodedForm& form) { return t == DType::i4 ? 8 : t == DType::i8 && !form.is_signed ? 128 : 0; }

void set_zeros(CodedForm& form, DType dtype, const Quantization& q) {
  form.bits = info(dtype).bits;
  form.zeros = q.zero_point.size() > 1;
  form.is_signed = dtype == DType::i8 && !form.zeros;
  form.zero = form.zeros ? 0 : q.zero_point[0] + shift_of(dtype, form);
}

// Writes codes [k] of one column of a panel.
class Packer {
 public:
  Packer(const Tensor& plain, const CodedWeights& w, std::byte* packed)
      : w_(w), form_(w.form), q_(*plain.type().quant), bytes_(reinterpret_cast<const uint8_t*>(plain.raw())), packed_(packed) {
    shift_ = shift_of(plain.dtype(), form_);
    is_signed_ = info(plain.dtype()).kind == DKind::sint;
  }
  void panel(int64_t p) const {
    auto* to = reinterpret_cast<uint8_t*>(packed_ + p * form_.panel_bytes());
    const int64_t first = p * form_.width, columns = std::min(form_.width, form_.n - first);
    std::memset(to, 0, static_cast<size_t>(form_.panel_bytes()));
    for (int64_t b = 0; b < form_.blocks(); ++b) {
      const int64_t k = b * form_.block, count = std::min(form_.block, form_.k - k);
      for (int64_t j = 0; j < columns; ++j) head(to, b, j, first + j);
      uint8_t* codes = to + form_.head_bytes();
      if (form_.bits == 8 && w_.n_step == 1)  // as they lie
        for (int64_t i = 0; i < count; ++i) {
          const uint8_t* from = bytes_ + (k + i) * w_.k_step + first;
          uint8_t* row = codes + i * form_.row_bytes();
          for (int64_t j = 0; j < columns; ++j) row[j] = static_cast<uint8_t>(from[j] + shift_);
        }
      else
        for (int64_t j = 0; j < columns; ++j)
          for (int64_t i = 0; i < count; ++i) put(codes + i * form_.row_bytes(), j, code_at((k + i) * w_.k_step + (first + j) * w_.n_step) + shift_);
      to = codes + count * form_.row_bytes();
    }
  }

 private:
  int32_t code_at(int64_t i) const {
    if (form_.bits == 8) return is_signed_ ? static_cast<int32_t>(static_cast<int8_t>(bytes_[i])) : bytes_[i];
    const int32_t code = (bytes_[i / 2] >> (i % 2 * 4)) & 15;
    return is_signed_ && code > 7 ? code - 16 : code;
  }
  void put(uint8_t* row, int64_t j, int32_t code) const {
    const auto byte = static_cast<uint8_t>(code);
    if (form_.bits == 8) row[j] = byte;
    else if (const int64_t half = form_.width / 2; j < half) row[j] = static_cast<uint8_t>(row[j] | (byte & 15));
    else row[j - half] = static_cast<uint8_t>(row[j - half] | (byte << 4));
  }
  void head(uint8_t* at, int64_t block, int64_t j, int64_t column) const {
    const float scale = q_.scale[static_cast<size_t>(block * w_.scale_k + column * w_.scale_n)];
    if (form_.halves) {
      const uint16_t bits = float_to_half(scale);
      std::memcpy(at + 2 * j, &bits, sizeof bits);
    } else {
      std::memcpy(at + 4 * j, &scale, sizeof scale);
    }
    if (form_.zeros)
      at[form_.width * (form_.halves ? 2 : 4) + j] =
          static_cast<uint8_t>(q_.zero_point[static_cast<size_t>(block * w_.zero_k + column * w_.zero_n)] + shift_);
  }

  const CodedWeights& w_;
  const CodedForm& form_;
  const Quantization& q_;
  const uint8_t* bytes_;
  std::byte* packed_;
  int32_t shift_ = 0;
  bool is_signed_ = false;
};

}  // namespace

std::optional<CodedWeights> coded_weights(const TensorType& b, Lies lies) {
  const bool known = b.dtype == DType::i4 || b.dtype == DType::u4 || b.dtype == DType::i8 || b.dtype == DType::u8;
  if (!b.quant || !known || !b.is_static() || b.shape.rank() < 2) return std::nullopt;
  const Dims dims = b.shape.numbers();
  const auto rank = static_cast<int64_t>(dims.size());
  const int64_t rows = dims[dims.size() - 2], columns = dims.back();
  if (rows == 0 || columns == 0 || element_count(dims) != rows * columns) return std::nullopt;
  const bool turned = lies == Lies::turned;
  const Quantization& q = *b.quant;
  CodedWeights w;
  w.form.k = turned ? columns : rows;
  w.form.n = turned ? rows : columns;
  w.form.width = panel_columns();
  w.k_step = turned ? 1 : columns;
  w.n_step = turned ? columns : 1;
  const int64_t k_axis = turned ? rank - 1 : rank - 2, n_axis = turned ? rank - 2 : rank - 1;
  const bool blocked = q.block > 0 && q.axis == k_axis, one_scale = q.axis < 0;
  if (!blocked && !one_scale && (q.block > 0 || q.axis != n_axis)) return std::nullopt;
  w.form.block = blocked ? std::min(q.block, w.form.k) : w.form.k;
  if (!one_scale) {
    w.scale_k = !blocked ? 0 : turned ? 1 : w.form.n;
    w.scale_n = blocked && turned ? w.form.blocks() : 1;
  }
  if (q.zero_point.size() > 1) w.zero_k = w.scale_k, w.zero_n = w.scale_n;
  w.form.halves = std::all_of(q.scale.begin(), q.scale.end(), is_half);
  set_zeros(w.form, b.dtype, q);
  const int32_t shift = shift_of(b.dtype, w.form);
  const bool fits = std::all_of(q.zero_point.begin(), q.zero_point.end(),
                                [&](int32_t z) { return z >= -256 && z <= 256 && (!w.form.zeros || (z + shift >= 0 && z + shift <= 255)); });
  return fits ? std::optional(w) : std::nullopt;
}

PackedWeight packed_codes(size_t input, const CodedWeights& w) {
  PackedWeight packed;
  packed.input = input;
  packed.key =
      "codes in panels of " + std::to_string(w.form.width) + (w.k_step == 1 ? ", turned" : "") + ", blocks of " + std::to_string(w.form.block);
  packed.bytes = w.form.panels() * w.form.panel_bytes();
  packed.pack = [w](const Tensor& plain, void* to) {
    const Packer packer(plain, w, static_cast<std::byte*>(to));
    parallel_for(w.form.panels(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) packer.panel(p);
    });
  };
  return packed;
}

}  // namespace onecard
