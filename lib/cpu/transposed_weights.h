#pragma once
#include "lib/cpu/integer_patches.h"
#include "lib/cpu/integer_weights.h"

namespace onecard {

inline int64_t parts_of(int64_t value, int64_t part) { return (value + part - 1) / part; }

// The weights of a transposed convolution as packed: for each group and position along the outermost axis its channels in chunks of at most a panel,
// the columns of one being its channels for all positions along the two inner axes. Small groups are `merged`, so many into one, with weights of 0
// between channels that do not belong together: they fill the panels, whose columns cost the same when they are empty.
struct TransposedWeights {
  RowForm form = RowForm::pairs;
  int64_t group = 1, merged = 1;                         // how many groups are left, and of how many each is made
  int64_t k = 1, outputs = 1, width = 1, positions = 1;  // of a group; positions are those of the two inner axes

  int64_t count() const { return parts_of(outputs, width); }
  int64_t channels(int64_t i) const { return std::min(width, outputs - i * width); }
  int64_t columns(int64_t i) const { return channels(i) * positions; }
  int64_t offset(int64_t i) const { return i * packed_integer_bytes(form, k, width * positions); }
  int64_t bytes() const { return offset(count() - 1) + packed_integer_bytes(form, k, columns(count() - 1)); }
};
TransposedWeights transposed_weights(const PatchShape& shape, const ByteWeights& w, RowForm form);
// Node input `index`, constant weights [channels, outputs of a group, kernel], packed so.
PackedWeight packed_transposed(size_t index, const PatchShape& shape, const ByteWeights& w, RowForm form);

// What is per channel of a chunk, repeated so that a panel can be read from any of its channels on.
class RepeatedColumns {
 public:
  explicit RepeatedColumns(const TransposedWeights& chunks) : chunks_(chunks), pitch_(chunks.width + integer_panel_columns()) {}
  int64_t size() const { return chunks_.count() * pitch_; }
  int64_t start(int64_t chunk) const { return chunk * pitch_; }
  template <class T>
  void repeat(const T* from, T* to) const {
    for (int64_t i = 0; i < chunks_.count(); ++i)
      for (int64_t j = 0; j < pitch_; ++j) to[start(i) + j] = from[i * chunks_.width + j % chunks_.channels(i)];
  }
  // Of what is per output channel of the weights as they are stored; empty stays so.
  template <class T>
  std::vector<T> of_stored(const std::vector<T>& stored) const {
    if (stored.empty()) return {};
    std::vector<T> all, to(static_cast<size_t>(size()));
    for (int64_t i = 0; i < chunks_.merged; ++i) all.insert(all.end(), stored.begin(), stored.begin() + chunks_.outputs / chunks_.merged);
    repeat(all.data(), to.data());
    return to;
  }

 private:
  TransposedWeights chunks_;
  int64_t pitch_;
};

}  // namespace onecard
