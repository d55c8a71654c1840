#include "lib/cpu/transposed_product.h"

#include <numeric>
#include <utility>

#include "lib/cpu/integer_scatter.h"
#include "lib/cpu/plain_step.h"

namespace onecard {
namespace {

constexpr int64_t kTileRows = 132;        // so that sums of one panel stay in the first cache
constexpr int64_t kBoxRows = 256;         // input pixels of a box, whose
constexpr int64_t kBoxBytes = 448 << 10;  // rows stay in the second cache
constexpr int64_t kSumsBytes = 48 << 10;  // of a box's output pixels
constexpr int64_t kLineCells = 128;       // of a box along the innermost axis
constexpr int64_t kFewestCells = 8;       // below, what neighbouring boxes both compute counts

int64_t cache_lines(int64_t bytes) { return parts_of(bytes, 64) * 64; }

}  // namespace

TransposedProduct::TransposedProduct(const PatchShape& s, DType x, const PerTensor& codes, const ByteWeights& w, RowForm form,
                                     const IntegerFinish& finish)
    : s_(s), chunks_(transposed_weights(s, w, form)), columns_(chunks_), codes_(codes), finish_(finish) {
  s_.group = chunks_.group;
  pixels_ = matrix_rows(pixel_matrices(s_, x), chunks_.k);
  scale_ = columns_.of_stored(w.scale);
  for (float& scale : scale_) scale *= codes.scale;
  zero_ = columns_.of_stored(w.zero);
  for (size_t a = 0; a < 3; ++a) axes_[a] = {s.in[a], s.out[a], s.kernel[a], s.strides[a], s.dilations[a], s.pads[a], 1};
}

// Whole lines where they are short; as many as keep rows and sums in cache and still give every thread some.
void TransposedProduct::choose_boxes(int64_t workers) {
  TransposedAxis &lines = axes_[1], &line = axes_[2];
  const int64_t row_bytes = left_row_stride(chunks_.form, chunks_.k) * element_bytes(chunks_.form);
  const auto set = [&](int64_t high, int64_t wide) { lines.step = high * lines.stride, line.step = wide * line.stride; };
  const auto fits = [&] {
    const int64_t rows = lines.most_inputs() * line.most_inputs();
    return lines.most_outputs() * line.most_outputs() * chunks_.width * 4 <= kSumsBytes && rows <= kBoxRows && rows * row_bytes <= kBoxBytes;
  };
  int64_t wide = parts_of(line.cells(), parts_of(line.cells(), kLineCells)), high = 1;
  for (set(high, wide); wide > kFewestCells && !fits(); set(high, wide)) wide = (wide + 1) / 2;
  const int64_t others = s_.images * s_.group * s_.out[0] * line.parts(), most = std::max<int64_t>(lines.cells() * others / workers, 1);
  for (; high < std::min(most, lines.cells()) && fits(); set(high, wide)) ++high;
  if (high > 1 && !fits()) set(--high, wide);
  const int64_t units = others * lines.parts();
  chunk_parts_ = std::clamp<int64_t>(workers / units, 1, chunks_.count());
  slots_ = std::min(workers, units * chunk_parts_);
}

int64_t TransposedProduct::share(int threads) {
  choose_boxes(std::max(threads, 1));
  const TransposedAxis &lines = axes_[1], &line = axes_[2];
  const int64_t row_bytes = left_row_stride(chunks_.form, chunks_.k) * element_bytes(chunks_.form);
  box_rows_ = lines.most_inputs() * line.most_inputs();
  bias_bytes_ = cache_lines(s_.group * columns_.size() * 4);
  slot_bytes_ = cache_lines(box_rows_ * row_bytes) + cache_lines(product_scratch() * 2) + cache_lines(kTileRows * integer_panel_columns() * 4) +
                2 * cache_lines(box_rows_ * 4) + cache_lines(lines.most_outputs() * line.most_outputs() * chunks_.width * 4);
  return bias_bytes_ + slots_ * slot_bytes_;
}

TransposedProduct::Slot TransposedProduct::slot_of(const LaunchArgs& args, int64_t index) const {
  char* at = static_cast<char*>(args.workspace) + bias_bytes_ + index * slot_bytes_;
  const auto take = [&](int64_t bytes) {
    char* here = at;
    at += cache_lines(bytes);
    return here;
  };
  const int64_t stride = left_row_stride(chunks_.form, chunks_.k);
  Slot slot{};
  slot.rows = {chunks_.form, take(box_rows_ * stride * element_bytes(chunks_.form)), stride, nullptr, nullptr};
  slot.scratch = reinterpret_cast<int16_t*>(take(product_scratch() * 2));
  slot.tile = reinterpret_cast<int32_t*>(take(kTileRows * integer_panel_columns() * 4));
  slot.rows.zero = reinterpret_cast<int32_t*>(take(box_rows_ * 4));
  slot.row_sums = reinterpret_cast<int32_t*>(take(box_rows_ * 4));
  slot.sums = reinterpret_cast<int32_t*>(at);
  return slot;
}

void TransposedProduct::run(const LaunchArgs& args) const {
  auto* bias = static_cast<float*>(args.workspace);
  const auto* given = args.in.size() > 2 ? static_cast<const float*>(args.in[2]) : nullptr;
  std::fill_n(bias, bias_bytes_ / static_cast<int64_t>(sizeof(float)), 0.0f);
  for (int64_t g = 0; given && g < s_.group; ++g) columns_.repeat(given + g * chunks_.outputs, bias + g * columns_.size());
  const int64_t units = s_.images * s_.group * chunk_parts_ * s_.out[0] * axes_[1].parts() * axes_[2].parts();
  in_parallel(slots_, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Slot slot = slot_of(args, i);
      for (int64_t u = units * i / slots_; u < units * (i + 1) / slots_; ++u) run_unit(args, slot, u);
    }
  });
}

void TransposedProduct::run_unit(const LaunchArgs& args, const Slot& slot, int64_t unit) const {
  const TransposedAxis &outer = axes_[0], &lines = axes_[1], &line = axes_[2];
  const auto next = [&](int64_t extent) { return std::exchange(unit, unit / extent) % extent; };
  Box box{};
  box.line = line.part(next(line.parts()));
  box.lines = lines.part(next(lines.parts()));
  box.outer = next(outer.out);
  const int64_t chunk_part = next(chunk_parts_);
  box.group = next(s_.group);
  box.image = unit;
  box.in_lines = lines.inputs(box.lines), box.in_line = line.inputs(box.line);
  const int64_t count = chunks_.count();
  int64_t filled = -1;
  for (int64_t chunk = count * chunk_part / chunk_parts_; chunk < count * (chunk_part + 1) / chunk_parts_; ++chunk) {
    std::fill_n(slot.sums, box.lines.size() * box.line.size() * chunks_.channels(chunk), 0);
    for (int64_t tap = 0; tap < outer.kernel; ++tap) {
      const int64_t at = box.outer + outer.pad, plane = outer.inputs(tap, {at, at + 1}).begin;
      if (outer.inputs(tap, {at, at + 1}).size() == 0) continue;
      if (plane != filled) fill_rows(args, slot, box, plane);
      filled = plane;
      add_products(slot, box, chunk,
                   static_cast<const char*>(args.in[1]) + (box.group * outer.kernel + tap) * chunks_.bytes() + chunks_.offset(chunk));
    }
    finish_box(args, slot, box, chunk);
  }
}

void TransposedProduct::fill_rows(const LaunchArgs& args, const Slot& slot, const Box& box, int64_t plane) const {
  IntegerOperands with;
  with.x = args.in[0];
  with.x_codes = &codes_;
  RowBlock to = slot.rows;
  const int64_t line = box.in_line.size();
  for (int64_t h = box.in_lines.begin; h < box.in_lines.end; ++h, to.data = to.row(line), to.zero += line)
    pixels_->fill(with, box.group, ((box.image * s_.in[0] + plane) * s_.in[1] + h) * s_.in[2] + box.in_line.begin, line, to);
  const LeftRows rows{slot.rows.data, slot.rows.stride, slot.rows.zero};
  for (int64_t i = 0; !zero_.empty() && i < box.pixels(); ++i) slot.row_sums[i] = sum_row(chunks_.form, rows, i, chunks_.k);
}

// Calls f for the segments of one panel: without dilation the positions along a line are neighbours there too.
template <class F>
void TransposedProduct::each_segment(int64_t chunk, int64_t panel, F&& f) const {
  const int64_t width = integer_panel_columns(), n = chunks_.channels(chunk), first = panel * width;
  const int64_t end = std::min(first + width, chunks_.columns(chunk)), run = axes_[2].dilation == 1 ? n * s_.kernel[2] : n;
  for (int64_t j = first, count = 0; j < end; j += count) {
    const int64_t tap = j / n;
    count = std::min(end, (j / run + 1) * run) - j;
    f(Segment{j - first, count, tap / s_.kernel[2], tap % s_.kernel[2] * axes_[2].dilation * n + j % n});
  }
}

void TransposedProduct::add_products(const Slot& slot, const Box& box, int64_t chunk, const char* packed) const {
  const int64_t width = integer_panel_columns(), k = chunks_.k, n = chunks_.channels(chunk), columns = chunks_.columns(chunk);
  const int64_t panel_bytes = packed_integer_bytes(chunks_.form, k, width), line = box.in_line.size();
  for (int64_t panel = 0; panel * width < columns; ++panel, packed += panel_bytes) {
    // Only the lines of input pixels that some column of the panel brings into the box.
    const int64_t first_tap = panel * width / n / s_.kernel[2], last_tap = (std::min(columns, (panel + 1) * width) - 1) / n / s_.kernel[2];
    const int64_t begin = (axes_[1].inputs(last_tap, box.lines).begin - box.in_lines.begin) * line;
    const int64_t end = (axes_[1].inputs(first_tap, box.lines).end - box.in_lines.begin) * line;
    for (int64_t row = begin; row < end; row += kTileRows) {
      const int64_t count = std::min(kTileRows, end - row);
      multiply_integers(chunks_.form, {slot.rows.row(row), slot.rows.stride, slot.rows.zero + row}, count, k, packed, slot.scratch, slot.tile);
      if (!zero_.empty()) take_zeros(slot, row, count, zero_.data() + columns_.start(chunk) + panel * width % n);
      add_tile(slot, box, chunk, panel, {row, row + count});
    }
  }
}

// Modulo 2^32, where the whole sum lies in int32.
void TransposedProduct::take_zeros(const Slot& slot, int64_t first, int64_t count, const int32_t* zero) const {
  const int64_t width = integer_panel_columns();
  for (int64_t i = 0; i < count; ++i)
    for (int64_t j = 0; j < width; ++j) {
      int32_t& sum = slot.tile[i * width + j];
      sum = static_cast<int32_t>(static_cast<uint32_t>(sum) - static_cast<uint32_t>(zero[j]) * static_cast<uint32_t>(slot.row_sums[first + i]));
    }
}

void TransposedProduct::add_tile(const Slot& slot, const Box& box, int64_t chunk, int64_t panel, const IndexRange& rows) const {
  const TransposedAxis &lines = axes_[1], &line = axes_[2];
  const int64_t width = integer_panel_columns(), n = chunks_.channels(chunk), size = box.line.size() * n, row_count = box.in_line.size();
  each_segment(chunk, panel, [&](const Segment& segment) {
    const IndexRange taken = lines.inputs(segment.line_tap, box.lines);
    for (int64_t h = taken.begin; h < taken.end; ++h) {
      const int64_t start = (h - box.in_lines.begin) * row_count, first = std::max(start, rows.begin), last = std::min(start + row_count, rows.end);
      if (first >= last) continue;
      const int64_t pixel = box.in_line.begin + first - start;
      const ScatteredRows from{slot.tile + (first - rows.begin) * width + segment.column,   width,          last - first, segment.count,
                               (pixel * line.stride - box.line.begin) * n + segment.offset, line.stride * n};
      scatter_rows(from, slot.sums + (h * lines.stride + segment.line_tap * lines.dilation - box.lines.begin) * size, size);
    }
  });
}

void TransposedProduct::finish_box(const LaunchArgs& args, const Slot& slot, const Box& box, int64_t chunk) const {
  const int64_t width = integer_panel_columns(), n = chunks_.channels(chunk), pixels = box.line.size();
  const FinishColumns at{scale_.data() + columns_.start(chunk),
                         static_cast<const float*>(args.workspace) + box.group * columns_.size() + columns_.start(chunk), nullptr};
  int32_t* sums = slot.sums;
  for (int64_t u = box.lines.begin; u < box.lines.end; ++u, sums += pixels * n) {
    const int64_t line = (box.image * s_.out[0] + box.outer) * s_.out[1] + u - axes_[1].pad, pixel = line * s_.out[2] + box.line.begin - axes_[2].pad;
    float* y = static_cast<float*>(args.out[0]) + pixel * s_.outputs + box.group * chunks_.outputs + chunk * chunks_.width;
    if (n == width) {
      finish_tile(finish_, at, {}, sums, pixels, n, {y, nullptr, s_.outputs});
    } else if (n == s_.outputs) {
      finish_flat(slot, sums, pixels * n, n, at, y);
    } else {
      for (int64_t i = 0; i < pixels; i += kTileRows) {
        const int64_t count = std::min(kTileRows, pixels - i);
        std::fill_n(slot.tile, count * width, 0);
        for (int64_t r = 0; r < count; ++r) std::copy_n(sums + (i + r) * n, n, slot.tile + r * width);
        finish_tile(finish_, at, {}, slot.tile, count, n, {y + i * s_.outputs, nullptr, s_.outputs});
      }
    }
  }
}

// Sums and results that lie one behind the other, in whole panels whatever the number of channels: those that start with the same channel together.
void TransposedProduct::finish_flat(const Slot& slot, int32_t* sums, int64_t count, int64_t channels, const FinishColumns& at, float* y) const {
  const int64_t width = integer_panel_columns(), rows = count / width, turns = channels / std::gcd(channels, width), rest = count % width;
  const auto finish = [&](int32_t* tile, int64_t row, int64_t many, int64_t columns) {
    const int64_t channel = row * width % channels;
    finish_tile(finish_, {at.scale + channel, at.bias + channel, nullptr}, {}, tile, many, columns, {y + row * width, nullptr, turns * width});
  };
  if (turns == 1) finish(sums, 0, rows, width);
  for (int64_t turn = 0; turns > 1 && turn < turns; ++turn)
    for (int64_t row = turn; row < rows; row += turns * kTileRows) {
      const int64_t many = std::min(kTileRows, parts_of(rows - row, turns));
      for (int64_t i = 0; i < many; ++i) std::copy_n(sums + (row + i * turns) * width, width, slot.tile + i * width);
      finish(slot.tile, row, many, width);
    }
  if (rest == 0) return;
  std::fill_n(slot.tile, width, 0);
  std::copy_n(sums + rows * width, rest, slot.tile);
  finish(slot.tile, rows, 1, rest);
}

}  // namespace onecard
