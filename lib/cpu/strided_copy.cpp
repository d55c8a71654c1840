#include "lib/cpu/strided_copy.h"

#include <cstring>

namespace onecard {
namespace {

struct Bytes16 {
  uint64_t low, high;
};
constexpr int64_t kGrainBytes = 1 << 15;
constexpr int64_t kTile = 32;  // elements on each side of a transposed tile: both sides stay in the first cache

using Word4 = int32_t __attribute__((vector_size(16)));

Word4 load4(const char* p) {
  Word4 v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
void store4(char* p, const Word4& v) { std::memcpy(p, &v, sizeof v); }

// Four rows of four 32-bit elements, `from_row` and `to_row` bytes apart, turned.
void turn4(const char* from, int64_t from_row, char* to, int64_t to_row) {
  const Word4 a = load4(from), b = load4(from + from_row), c = load4(from + 2 * from_row), d = load4(from + 3 * from_row);
  const Word4 ab_low = __builtin_shuffle(a, b, Word4{0, 4, 1, 5}), ab_high = __builtin_shuffle(a, b, Word4{2, 6, 3, 7});
  const Word4 cd_low = __builtin_shuffle(c, d, Word4{0, 4, 1, 5}), cd_high = __builtin_shuffle(c, d, Word4{2, 6, 3, 7});
  store4(to, __builtin_shuffle(ab_low, cd_low, Word4{0, 1, 4, 5}));
  store4(to + to_row, __builtin_shuffle(ab_low, cd_low, Word4{2, 3, 6, 7}));
  store4(to + 2 * to_row, __builtin_shuffle(ab_high, cd_high, Word4{0, 1, 4, 5}));
  store4(to + 3 * to_row, __builtin_shuffle(ab_high, cd_high, Word4{2, 3, 6, 7}));
}

// to[i * to_row + j] = from[j * from_row + i] for i < rows, j < columns; rows of bytes apart.
template <class T>
void turn(const char* from, int64_t from_row, char* to, int64_t to_row, int64_t rows, int64_t columns) {
  int64_t i = 0;
  constexpr int64_t kSize = sizeof(T);
  if constexpr (kSize == 4) {
    for (; i + 4 <= rows; i += 4) {
      int64_t j = 0;
      for (; j + 4 <= columns; j += 4) turn4(from + j * from_row + i * kSize, from_row, to + i * to_row + j * kSize, to_row);
      for (; j < columns; ++j)
        for (int64_t k = i; k < i + 4; ++k) std::memcpy(to + k * to_row + j * kSize, from + j * from_row + k * kSize, kSize);
    }
  }
  for (; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) std::memcpy(to + i * to_row + j * kSize, from + j * from_row + i * kSize, kSize);
}

bool is_word(int64_t bytes) { return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8 || bytes == 16; }

}  // namespace

std::optional<StridedCopy> StridedCopy::make(Dims extents, Dims from, Dims to, int64_t element_bytes) {
  StridedCopy c;
  c.bytes_ = element_bytes;
  // Elements that lie together on both sides become one wider element.
  while (!extents.empty() && (extents.back() == 1 || (from.back() == 1 && to.back() == 1))) {
    const int64_t run = extents.back();
    bool divides = run > 0;
    for (const Dims* strides : {&from, &to})
      for (size_t a = 0; a + 1 < extents.size(); ++a) divides = divides && (*strides)[a] % run == 0;
    if (!divides) break;
    extents.pop_back(), from.pop_back(), to.pop_back();
    for (Dims* strides : {&from, &to})
      for (int64_t& s : *strides) s /= run;
    c.bytes_ *= run;
  }
  for (Dims* strides : {&from, &to})
    for (int64_t& s : *strides) s *= c.bytes_;
  c.contiguous_ = !is_word(c.bytes_) || (!extents.empty() && from.back() == c.bytes_ && to.back() == c.bytes_) || extents.empty();
  if (c.contiguous_) {
    extents.push_back(c.bytes_), from.push_back(1), to.push_back(1);
    c.bytes_ = 1;
  }
  const auto walk = make_walk<2>(extents, {from, to});
  if (!walk) return std::nullopt;
  c.walk_ = *walk;
  if (!c.contiguous_ && walk->row_stride(1) == c.bytes_)
    for (int a = 0; a + 1 < walk->rank; ++a)
      if (walk->strides[0][static_cast<size_t>(a)] == c.bytes_ && walk->extents[static_cast<size_t>(a)] >= 4 && walk->row() >= 2) c.across_ = a;
  return c;
}

void StridedCopy::run(const void* from_bytes, void* to_bytes) const {
  const auto* from = static_cast<const char*>(from_bytes);
  auto* to = static_cast<char*>(to_bytes);
  if (walk_.rows == 0 || walk_.row() == 0) return;
  if (contiguous_) return rows(from, to);
  const auto run_as = [&]<class T>(TypeTag<T>) { across_ >= 0 ? tiles<T>(from, to) : strided<T>(from, to); };
  switch (bytes_) {
    case 1: return run_as(TypeTag<uint8_t>{});
    case 2: return run_as(TypeTag<uint16_t>{});
    case 4: return run_as(TypeTag<uint32_t>{});
    case 8: return run_as(TypeTag<uint64_t>{});
    default: return run_as(TypeTag<Bytes16>{});
  }
}

void StridedCopy::rows(const char* from, char* to) const {
  walk_pieces(walk_, kGrainBytes,
              [&](const std::array<int64_t, 2>& at, int64_t count) { std::memcpy(to + at[1], from + at[0], static_cast<size_t>(count)); });
}

template <class T>
void StridedCopy::strided(const char* from, char* to) const {
  const int64_t from_step = walk_.row_stride(0), to_step = walk_.row_stride(1);
  constexpr int64_t kSize = sizeof(T);
  walk_pieces(walk_, kGrainBytes / kSize, [&](const std::array<int64_t, 2>& at, int64_t count) {
    const char* x = from + at[0];
    char* y = to + at[1];
    if (from_step == 0 && to_step == kSize) {
      T value;
      std::memcpy(&value, x, kSize);
      for (int64_t i = 0; i < count; ++i) std::memcpy(y + i * kSize, &value, kSize);
      return;
    }
    for (int64_t i = 0; i < count; ++i) std::memcpy(y + i * to_step, x + i * from_step, kSize);
  });
}

// The source lies together along `across_`, the target along the last axis: square tiles of these two, the other axes around them.
template <class T>
void StridedCopy::tiles(const char* from, char* to) const {
  const auto across = static_cast<size_t>(across_);
  const auto last = static_cast<size_t>(walk_.rank - 1);
  const int64_t rows = walk_.extents[across], columns = walk_.extents[last];
  const int64_t bands = (rows + kTile - 1) / kTile;
  Walk<2> outer = walk_;  // the tiled axes replaced by bands, and by a row of one
  outer.extents[across] = bands;
  for (auto& strides : outer.strides) strides[across] *= kTile;
  outer.extents[last] = 1;
  outer.rows = walk_.rows / rows * bands;
  const int64_t from_row = walk_.strides[0][last], to_row = walk_.strides[1][across];
  int64_t inner = 1;  // rows of `outer` per step of its band axis
  for (size_t a = across + 1; a < last; ++a) inner *= outer.extents[a];
  constexpr int64_t kSize = sizeof(T);
  in_parallel(outer.rows, std::max<int64_t>(1, kGrainBytes / (kTile * columns * kSize)), [&](int64_t begin, int64_t end) {
    walk_rows(outer, begin, end, [&](int64_t i, const std::array<int64_t, 2>& at) {
      const int64_t height = std::min(kTile, rows - i / inner % bands * kTile);
      for (int64_t j = 0; j < columns; j += kTile)
        turn<T>(from + at[0] + j * from_row, from_row, to + at[1] + j * kSize, to_row, height, std::min(kTile, columns - j));
    });
  });
}

}  // namespace onecard
