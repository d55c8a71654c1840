#include "lib/cpu/dynamic_rows.h"

#include <algorithm>

#include "lib/cpu/code_rows.h"
#include "lib/cpu/plain_step.h"
#include "lib/ops/dynamic_quantize_linear.h"

namespace onecard {
namespace {

constexpr int64_t kPiece = 8192;    // elements worth a look of their own
constexpr int64_t kTogether = 512;  // codes that wait in between

int64_t cache_lines(int64_t bytes) { return (bytes + 63) / 64 * 64; }

class RealRows : public IntegerRows {
 public:
  RealRows(ByteMatrices m, int64_t k) : matrices_(std::move(m)), k_(k) {}
  void fill(const IntegerOperands& with, int64_t index, int64_t first, int64_t count, const RowBlock& to) const override {
    for (int64_t i = 0; i < count; ++i) {
      const int64_t at = matrices_.offset[static_cast<size_t>(index)] + (first + i) * matrices_.row_stride;
      const PerTensor& found = with.codes_at(at);
      const Codes codes = Codes::of(DType::u8, found.scale, found.zero);
      const float* x = static_cast<const float*>(with.x) + at;
      to.set(i, ByteSign::is_unsigned, found);
      if (to.form == RowForm::fours) quantize_row(x, codes, static_cast<uint8_t*>(to.row(i)), k_);
      else widened(x, codes, found.zero, static_cast<int16_t*>(to.row(i)));
    }
  }

 private:
  void widened(const float* x, const Codes& codes, int32_t zero, int16_t* to) const {
    uint8_t some[kTogether];
    for (int64_t j = 0; j < k_; j += kTogether) {
      const int64_t n = std::min(kTogether, k_ - j);
      quantize_row(x + j, codes, some, n);
      put_integers(RowForm::pairs, some, ByteSign::is_unsigned, n, zero, to + j);
    }
  }

  ByteMatrices matrices_;
  int64_t k_;
};

}  // namespace

DynamicParts::DynamicParts(int64_t elements, int64_t part)
    : elements_(elements), part_(part), parts_((elements + part - 1) / part), pieces_((part + kPiece - 1) / kPiece) {}

int64_t DynamicParts::workspace_bytes() const {
  return cache_lines(parts_ * static_cast<int64_t>(sizeof(PerTensor))) + parts_ * pieces_ * static_cast<int64_t>(sizeof(Bounds));
}

// body(number of the piece, first element, count); small pieces are shared out several at a time.
template <class F>
void DynamicParts::each_piece(const F& body) const {
  in_parallel(parts_ * pieces_, std::max<int64_t>(1, kPiece / part_), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = i / pieces_ * part_ + i % pieces_ * kPiece;
      body(i, at, std::min({kPiece, part_ - i % pieces_ * kPiece, elements_ - at}));
    }
  });
}

void DynamicParts::find(const float* x, void* space, IntegerOperands& with) const {
  auto* found = static_cast<PerTensor*>(space);
  auto* bounds = reinterpret_cast<Bounds*>(static_cast<char*>(space) + cache_lines(parts_ * static_cast<int64_t>(sizeof(PerTensor))));
  each_piece([&](int64_t i, int64_t at, int64_t count) { bounds[i] = range_with_zero(x + at, count); });
  for (int64_t p = 0; p < parts_; ++p) {
    Bounds all{0, 0};
    for (int64_t i = p * pieces_; i < (p + 1) * pieces_; ++i) all = {std::min(all.low, bounds[i].low), std::max(all.high, bounds[i].high)};
    const DynamicScale scale = dynamic_scale(all.low, all.high);
    found[p] = {scale.scale, scale.zero};
  }
  with.x_codes = found;
  with.code_elements = part_;
}

void DynamicParts::quantize(const float* x, const IntegerOperands& with, uint8_t* to) const {
  each_piece([&](int64_t, int64_t at, int64_t count) {
    const PerTensor& found = with.codes_at(at);
    quantize_row(x + at, Codes::of(DType::u8, found.scale, found.zero), to + at, count);
  });
}

std::shared_ptr<const IntegerRows> real_rows(ByteMatrices matrices, int64_t k) { return std::make_shared<RealRows>(std::move(matrices), k); }

}  // namespace onecard
