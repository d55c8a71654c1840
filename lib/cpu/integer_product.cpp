#include "lib/cpu/integer_product.h"

#include <algorithm>
#include <cstring>

#include "lib/cpu/plain_step.h"

namespace onecard {
namespace {

constexpr int64_t kBlockBytes = 448 << 10;  // of widened rows, which stay in the second cache
constexpr int64_t kMostRows = 132;          // so that sums of one panel stay in the first
constexpr int64_t kRowStep = 12;            // a multiple of the product's row blocks
constexpr int64_t kCodesBytes = 64;         // room for one scale and zero point
constexpr int64_t kFewestRows = 36;         // below, threads share columns rather than rows

int64_t rounded(int64_t value, int64_t step) { return (value + step - 1) / step * step; }
int64_t cache_lines(int64_t bytes) { return rounded(bytes, 64); }

class MatrixRows : public IntegerRows {
 public:
  MatrixRows(ByteMatrices m, int64_t k) : matrices_(std::move(m)), k_(k) {}
  void fill(const IntegerOperands& with, int64_t index, int64_t first, int64_t count, const RowBlock& to) const override {
    const int64_t start = matrices_.offset[static_cast<size_t>(index)] + first * matrices_.row_stride;
    const auto* from = static_cast<const uint8_t*>(with.x) + start;
    for (int64_t i = 0; i < count; ++i) {
      const PerTensor& codes = with.codes_at(start + i * matrices_.row_stride);
      to.set(i, matrices_.sign, codes);
      if (matrices_.column_stride == 1) put_integers(to.form, from + i * matrices_.row_stride, matrices_.sign, k_, codes.zero, to.row(i));
    }
    if (matrices_.column_stride == 1) return;
    const int32_t zero = with.codes_at(start).zero;
    if (to.form == RowForm::pairs) turn<int16_t>(from, count, row_zero(RowForm::fours, matrices_.sign, zero), to);
    else turn<uint8_t>(from, count, 0, to);
  }

 private:
  // Columns are read along the stride that is short.
  template <class T>
  void turn(const uint8_t* from, int64_t count, int32_t less, const RowBlock& to) const {
    const uint8_t flip = matrices_.sign == ByteSign::is_signed ? 0x80 : 0;
    auto* out = static_cast<T*>(to.data);
    for (int64_t j = 0; j < k_; ++j)
      for (int64_t i = 0; i < count; ++i)
        out[i * to.stride + j] = static_cast<T>((from[i * matrices_.row_stride + j * matrices_.column_stride] ^ flip) - less);
  }

  ByteMatrices matrices_;
  int64_t k_;
};

}  // namespace

std::shared_ptr<const IntegerRows> matrix_rows(ByteMatrices matrices, int64_t k) { return std::make_shared<MatrixRows>(std::move(matrices), k); }

// One thread's part of the workspace.
struct IntegerProduct::Slot {
  const float* bias;  // shared by all
  RowBlock rows;
  int16_t* scratch;
  int32_t *tile, *row_sums;
  char* packed;
};

int64_t IntegerProduct::share(int threads) {
  const int64_t width = integer_panel_columns(), workers = std::max(threads, 1);
  panels_ = (n + width - 1) / width;
  columns_ = n + *std::max_element(column.begin(), column.end());
  if (count < workers) {
    row_parts_ = std::clamp<int64_t>(rows / kFewestRows, 1, (workers + count - 1) / count);
    column_parts_ = std::clamp<int64_t>(workers / (row_parts_ * count), 1, panels_);
  }
  // Parts start at whole steps, so some are a step longer than others.
  const int64_t part = row_parts_ == 1 ? rows : std::min(rows, rows / row_parts_ + kRowStep),
                row_bytes = left_row_stride(form, k) * element_bytes(form);
  const int64_t most = std::clamp<int64_t>(kBlockBytes / row_bytes, 1, kMostRows), blocks = (part + most - 1) / most;
  block_rows_ = blocks == 1 ? part : rounded((part + blocks - 1) / blocks, kRowStep);
  slots_ = std::min(workers, count * row_parts_ * column_parts_);
  columns_bytes_ = cache_lines((columns_ + width) * static_cast<int64_t>(sizeof(float)));
  slot_bytes_ = cache_lines(block_rows_ * row_bytes) + cache_lines(product_scratch() * 2) + cache_lines(block_rows_ * width * 4) +
                3 * cache_lines(block_rows_ * 4) + (unpacked ? cache_lines(packed_integer_bytes(form, k, n)) : 0);
  return columns_bytes_ + slots_ * slot_bytes_;
}

IntegerProduct::Slot IntegerProduct::slot_of(const IntegerOperands& with, int64_t index) const {
  auto* at = static_cast<char*>(with.workspace);
  Slot slot{};
  slot.bias = reinterpret_cast<const float*>(at);
  at += columns_bytes_ + index * slot_bytes_;
  const auto take = [&](int64_t bytes) {
    char* here = at;
    at += cache_lines(bytes);
    return here;
  };
  const int64_t stride = left_row_stride(form, k);
  slot.rows = {form, take(block_rows_ * stride * element_bytes(form)), stride, nullptr, nullptr};
  slot.scratch = reinterpret_cast<int16_t*>(take(product_scratch() * 2));
  slot.tile = reinterpret_cast<int32_t*>(take(block_rows_ * integer_panel_columns() * 4));
  slot.row_sums = reinterpret_cast<int32_t*>(take(block_rows_ * 4));
  slot.rows.zero = reinterpret_cast<int32_t*>(take(block_rows_ * 4));
  auto* scales = reinterpret_cast<float*>(take(block_rows_ * 4));
  if (row_scales == RowScales::each) slot.rows.scale = scales;
  slot.packed = at;
  return slot;
}

void IntegerProduct::run_block(const IntegerOperands& with, const Slot& slot, int64_t product, int64_t first, int64_t many, int64_t panel,
                               int64_t last) const {
  const int64_t width = integer_panel_columns(), p_bytes = packed_integer_bytes(form, k, width);
  const auto p = static_cast<size_t>(product);
  left->fill(with, product, first, many, slot.rows);
  const LeftRows rows{slot.rows.data, slot.rows.stride, slot.rows.zero};
  for (int64_t i = 0; with.w_zero && i < many; ++i) slot.row_sums[i] = sum_row(form, rows, i, k);
  const char* packed = unpacked ? slot.packed : static_cast<const char*>(with.w) + w[p];
  for (; panel < last; ++panel) {
    const int64_t j = panel * width, c = column[p] + j, at = y[p] + first * y_stride + j;
    multiply_integers(form, rows, many, k, packed + panel * p_bytes, slot.scratch, slot.tile);
    FinishPlace place;
    place.y = static_cast<char*>(with.y) + at * (info(finish.y).bits / 8);
    if (with.residual) place.residual = static_cast<const char*>(with.residual) + at * (info(finish.residual).bits / 8);
    place.stride = y_stride;
    const FinishColumns columns{scale.empty() ? nullptr : scale.data() + c, slot.bias + c, with.w_zero ? with.w_zero + c : nullptr};
    finish_tile(finish, columns, {slot.row_sums, slot.rows.scale}, slot.tile, many, std::min(width, n - j), place);
  }
}

void IntegerProduct::run_unit(const IntegerOperands& with, const Slot& slot, int64_t unit, int64_t& packed) const {
  const int64_t product = unit / (row_parts_ * column_parts_), part = unit / row_parts_ % column_parts_, row_part = unit % row_parts_;
  const int64_t panel = panels_ * part / column_parts_, last = panels_ * (part + 1) / column_parts_;
  const int64_t row_end = row_part + 1 == row_parts_ ? rows : rows * (row_part + 1) / row_parts_ / kRowStep * kRowStep;
  if (unpacked && packed != unit / row_parts_) {
    const int64_t from = panel * integer_panel_columns(), to = std::min(n, last * integer_panel_columns());
    const auto* w = static_cast<const char*>(with.w) + unpacked->offset[static_cast<size_t>(product)] + from * unpacked->column_stride;
    pack_integers(form, {w, unpacked->sign, unpacked->row_stride, unpacked->column_stride}, k, to - from,
                  slot.packed + packed_integer_bytes(form, k, from));
    packed = unit / row_parts_;
  }
  for (int64_t row = rows * row_part / row_parts_ / kRowStep * kRowStep; row < row_end; row += block_rows_)
    run_block(with, slot, product, row, std::min(block_rows_, row_end - row), panel, last);
}

void IntegerProduct::run(const IntegerOperands& with) const {
  auto* bias = static_cast<float*>(with.workspace);
  std::memset(bias, 0, static_cast<size_t>(columns_bytes_));
  if (with.bias && with.bias_count == 1) std::fill_n(bias, columns_, *with.bias);
  else if (with.bias) std::memcpy(bias, with.bias, static_cast<size_t>(columns_) * sizeof(float));
  const int64_t units = count * row_parts_ * column_parts_;
  in_parallel(slots_, 1, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) {
      const Slot slot = slot_of(with, s);
      int64_t packed = -1;
      for (int64_t u = units * s / slots_; u < units * (s + 1) / slots_; ++u) run_unit(with, slot, u, packed);
    }
  });
}

std::string panels_key(RowForm form) {
  return (form == RowForm::fours ? "int8 panels in fours of " : "int8 panels of ") + std::to_string(integer_panel_columns());
}

ZeroPoints::ZeroPoints(const KernelQuery& q, size_t x, size_t w, int64_t columns)
    : x_(x), w_(w), x_type_(q.in[0].dtype), w_type_(q.in[1].dtype), columns_(columns), w_count_(q.has(w) ? q.in[w].shape.elements().number() : 0) {}

int64_t ZeroPoints::workspace_bytes() const { return kCodesBytes + columns_bytes(); }
int64_t ZeroPoints::columns_bytes() const { return cache_lines((columns_ + integer_panel_columns()) * static_cast<int64_t>(sizeof(int32_t))); }

void ZeroPoints::read(const LaunchArgs& args, void* space, IntegerOperands& with) const {
  const auto stored = [&](size_t input, DType type, int64_t i) -> int32_t {
    const void* from = input < args.in.size() ? args.in[input] : nullptr;
    if (!from) return 0;
    return type == DType::u8 ? static_cast<const uint8_t*>(from)[i] : static_cast<const int8_t*>(from)[i];
  };
  auto* codes = static_cast<PerTensor*>(space);
  *codes = {1, stored(x_, x_type_, 0)};
  with.x_codes = codes;
  auto* zeros = reinterpret_cast<int32_t*>(static_cast<char*>(space) + kCodesBytes);
  std::memset(zeros, 0, static_cast<size_t>(columns_bytes()));
  bool any = false;
  for (int64_t j = 0; j < columns_; ++j) {
    zeros[j] = packed_zero(w_type_, stored(w_, w_type_, w_count_ > 1 ? j : 0));
    any = any || zeros[j] != 0;
  }
  if (any) with.w_zero = zeros;
}

}  // namespace onecard
