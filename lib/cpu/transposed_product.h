#pragma once
#include "lib/cpu/transposed_weights.h"

namespace onecard {

// A transposed convolution of integers, channels innermost: input pixels times the weights of all kernel positions are one exact product, whose
// columns are added to the output pixels that they belong to.

struct IndexRange {
  int64_t begin = 0, end = 0;
  int64_t size() const { return std::max<int64_t>(end - begin, 0); }
};

// One spatial axis. Input i meets output position u = i * stride + tap * dilation, counted from where the padding starts; positions are cut in
// parts of `step`.
struct TransposedAxis {
  int64_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1, pad = 0, step = 1;

  int64_t cells() const { return parts_of(pad + out, stride); }  // a cell is as many positions as the stride
  int64_t parts() const { return parts_of(pad + out, step) - pad / step; }
  IndexRange part(int64_t i) const {
    const int64_t start = (pad / step + i) * step;
    return {std::max(start, pad), std::min(start + step, pad + out)};
  }
  // The inputs that one tap brings into these positions, and those that any does.
  IndexRange inputs(int64_t tap, const IndexRange& u) const {
    const int64_t first = u.begin - tap * dilation, last = u.end - 1 - tap * dilation;
    return {first <= 0 ? 0 : parts_of(first, stride), last < 0 ? 0 : std::min(in, last / stride + 1)};
  }
  IndexRange inputs(const IndexRange& u) const { return {inputs(kernel - 1, u).begin, inputs(0, u).end}; }
  int64_t most_inputs() const { return std::min(in, (step - 1 + (kernel - 1) * dilation) / stride + 1); }
  int64_t most_outputs() const { return std::min(step, out); }
};

// Each box of output pixels is computed from the input pixels that reach it, by one thread.
class TransposedProduct {
 public:
  // Of an x with these codes; y is f32.
  TransposedProduct(const PatchShape& s, DType x, const PerTensor& codes, const ByteWeights& w, RowForm form, const IntegerFinish& finish);
  // Chooses how threads share the work; the bytes of workspace needed.
  int64_t share(int threads);
  void run(const LaunchArgs& args) const;

 private:
  // One thread's part of the workspace.
  struct Slot {
    RowBlock rows;
    int16_t* scratch;
    int32_t *tile, *row_sums, *sums;
  };
  // The output positions of a box along the two inner axes, and the input pixels that reach it.
  struct Box {
    int64_t image, group, outer;
    IndexRange lines, line;
    IndexRange in_lines, in_line;
    int64_t pixels() const { return in_lines.size() * in_line.size(); }
  };
  // Columns of one panel that lie beside each other in a line of the sums.
  struct Segment {
    int64_t column, count, line_tap, offset;
  };

  template <class F>
  void each_segment(int64_t chunk, int64_t panel, F&& f) const;
  void choose_boxes(int64_t workers);
  Slot slot_of(const LaunchArgs& args, int64_t index) const;
  void run_unit(const LaunchArgs& args, const Slot& slot, int64_t unit) const;
  void fill_rows(const LaunchArgs& args, const Slot& slot, const Box& box, int64_t plane) const;
  void add_products(const Slot& slot, const Box& box, int64_t chunk, const char* packed) const;
  void take_zeros(const Slot& slot, int64_t first, int64_t count, const int32_t* zero) const;
  void add_tile(const Slot& slot, const Box& box, int64_t chunk, int64_t panel, const IndexRange& rows) const;
  void finish_box(const LaunchArgs& args, const Slot& slot, const Box& box, int64_t chunk) const;
  void finish_flat(const Slot& slot, int32_t* sums, int64_t count, int64_t channels, const FinishColumns& at, float* y) const;

  PatchShape s_;
  TransposedWeights chunks_;
  RepeatedColumns columns_;
  PerTensor codes_;
  std::shared_ptr<const IntegerRows> pixels_;
  std::array<TransposedAxis, 3> axes_;
  IntegerFinish finish_;
  std::vector<float> scale_;   // per chunk, repeated
  std::vector<int32_t> zero_;  // the same, or empty: zeros
  int64_t chunk_parts_ = 1, slots_ = 1, bias_bytes_ = 0, slot_bytes_ = 0, box_rows_ = 1;
};

}  // namespace onecard
