#include "lib/cpu/transposed_weights.h"

#include <algorithm>

namespace onecard {
namespace {

constexpr int64_t kMergedChannels = 16;  // each merged group multiplies zeros with the inputs of all others: no more than fill a few steps of k

// As many groups as fill a panel; one that divides their number.
int64_t groups_to_merge(const PatchShape& s, const ByteWeights& w) {
  const auto is_byte = [](int32_t zero) { return zero >= -128 && zero <= 127; };
  if (!std::all_of(w.zero.begin(), w.zero.end(), is_byte)) return 1;  // no stored weight stands for 0
  int64_t most = 1;
  for (int64_t m = 1; m <= s.group && m * s.group_channels() <= kMergedChannels && m * s.group_outputs() <= integer_panel_columns(); ++m)
    if (s.group % m == 0) most = m;
  return most;
}

// The stored weights of one group (merged ones: with zeros between them) and position along the outermost axis, as columns of k.
void turn_weights(const PatchShape& s, const TransposedWeights& t, const ByteWeights& w, const uint8_t* from, int64_t part, int64_t chunk,
                  uint8_t* to) {
  const int64_t group = part / s.kernel[0], outer = part % s.kernel[0], n = t.channels(chunk), c = t.k / t.merged, outputs = t.outputs / t.merged;
  const uint8_t flip = w.dtype == DType::u8 ? 0x80 : 0;
  for (int64_t column = 0; column < t.columns(chunk); ++column) {
    const int64_t output = chunk * t.width + column % n, own = output / outputs, at = output % outputs;
    const auto zero = static_cast<uint8_t>(w.zero.empty() ? 0 : w.zero[static_cast<size_t>(at)]);
    for (int64_t i = 0; i < t.k; ++i) {
      const int64_t kernel = (group * t.k + i) * outputs + at;
      *to++ = i / c == own ? from[(kernel * s.kernel[0] + outer) * t.positions + column / n] : static_cast<uint8_t>(zero ^ flip);
    }
  }
}

}  // namespace

TransposedWeights transposed_weights(const PatchShape& s, const ByteWeights& w, RowForm form) {
  const int64_t merged = groups_to_merge(s, w), outputs = merged * s.group_outputs();
  return {
      form, s.group / merged, merged, merged * s.group_channels(), outputs, std::min(outputs, integer_panel_columns()), s.kernel[1] * s.kernel[2]};
}

PackedWeight packed_transposed(size_t index, const PatchShape& s, const ByteWeights& w, RowForm form) {
  const TransposedWeights t = transposed_weights(s, w, form);
  PackedWeight packed;
  packed.input = index;
  packed.key = panels_key(form) + ", transposed, groups " + std::to_string(t.group) + " of " + std::to_string(t.merged);
  packed.bytes = t.group * s.kernel[0] * t.bytes();
  packed.pack = [s, t, w](const Tensor& plain, void* to) {
    const auto* from = reinterpret_cast<const uint8_t*>(plain.raw());
    std::vector<uint8_t> turned(static_cast<size_t>(t.columns(0) * t.k));
    for (int64_t part = 0; part < t.group * s.kernel[0]; ++part)
      for (int64_t i = 0; i < t.count(); ++i) {
        turn_weights(s, t, w, from, part, i, turned.data());
        pack_integers(t.form, {turned.data(), sign_of(w.dtype), 1, t.k}, t.k, t.columns(i), static_cast<char*>(to) + part * t.bytes() + t.offset(i));
      }
  };
  return packed;
}

}  // namespace onecard
