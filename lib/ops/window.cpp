#include "lib/ops/window.h"

namespace onecard {

namespace {

void check_list(std::span<const int64_t> list, size_t length, int64_t least, const char* what) {
  if (list.empty()) return;
  require(list.size() == length, ErrorKind::model, what, " has ", list.size(), " numbers where ", length, " are needed");
  for (int64_t v : list) require(v >= least && v <= kWindowLimit, ErrorKind::model, what, " holds ", v, "; it must be ", least, " to ", kWindowLimit);
}

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

}  // namespace

void check_window(const Window& w, int64_t spatial) {
  const auto n = static_cast<size_t>(spatial);
  check_list(w.strides, n, 1, "strides");
  check_list(w.dilations, n, 1, "dilations");
  check_list(w.pads, 2 * n, 0, "pads");
}

void check_kernel_extent(const Dim& kernel) {
  if (const auto k = kernel.maybe())
    require(*k >= 1 && *k <= kWindowLimit, ErrorKind::model, "a kernel extent is ", *k, "; it must be 1 to ", kWindowLimit);
}

Dim window_extent(const Window& w, size_t i, const Dim& in, const Dim& kernel) {
  if (w.auto_pad == AutoPad::same_upper || w.auto_pad == AutoPad::same_lower) return ceil_div(in, w.stride(i));
  const Dim room = in + Dim(w.pad_begin(i) + w.pad_end(i)) - ((kernel - 1) * Dim(w.dilation(i)) + 1);
  if (const auto r = room.maybe())
    require(*r >= 0, ErrorKind::model, "a window of ", kernel, " with dilation ", w.dilation(i), " does not fit extent ", in, " with pads ",
            w.pad_begin(i), " and ", w.pad_end(i));
  return room / Dim(w.stride(i)) + 1;
}

ConvGeometry window_geometry(const Window& w, const Dims& spatial, const Dims& kernel) {
  ConvGeometry g;
  g.kernel = kernel;
  for (size_t i = 0; i < spatial.size(); ++i) {
    const int64_t s = w.stride(i), window = (kernel[i] - 1) * w.dilation(i) + 1;
    int64_t begin = w.pad_begin(i), end = w.pad_end(i);
    if (w.auto_pad == AutoPad::same_upper || w.auto_pad == AutoPad::same_lower) {
      const int64_t steps = (spatial[i] + s - 1) / s;
      const int64_t total = std::max<int64_t>(0, (steps - 1) * s + window - spatial[i]);
      begin = w.auto_pad == AutoPad::same_upper ? total / 2 : total - total / 2;
      end = total - begin;
    }
    g.strides.push_back(s);
    g.dilations.push_back(w.dilation(i));
    g.pads_begin.push_back(begin);
    g.pads_end.push_back(end);
  }
  return g;
}

Dims spatial_extents(const Dims& dims) { return Dims(dims.begin() + 2, dims.end()); }

AutoPad onnx_auto_pad(const OnnxNode& node) {
  static constexpr std::pair<std::string_view, AutoPad> kNames[] = {{"NOTSET", AutoPad::notset},
                                                                    {"", AutoPad::notset},
                                                                    {"SAME_UPPER", AutoPad::same_upper},
                                                                    {"SAME_LOWER", AutoPad::same_lower},
                                                                    {"VALID", AutoPad::valid}};
  const auto name = node.attr<std::string>("auto_pad", "NOTSET");
  for (const auto& [text, value] : kNames)
    if (name == text) return value;
  fail(ErrorKind::model, "auto_pad '", name, "' is none of NOTSET, SAME_UPPER, SAME_LOWER, VALID");
}

std::vector<int64_t> onnx_list(const OnnxNode& node, std::string_view key, int64_t otherwise) {
  auto list = node.attr<std::vector<int64_t>>(key, {});
  if (std::ranges::all_of(list, [&](int64_t v) { return v == otherwise; })) list.clear();
  return list;
}

void check_kernel_shape(const OnnxNode& node, const Shape& weight) {
  if (!node.has("kernel_shape") || !weight.has_rank()) return;
  const auto kernel = node.attr<std::vector<int64_t>>("kernel_shape", {});
  require(static_cast<int64_t>(kernel.size()) + 2 == weight.rank(), ErrorKind::model, "kernel_shape has ", kernel.size(),
          " numbers for a weight of shape ", weight);
  for (size_t i = 0; i < kernel.size(); ++i) {
    const auto have = weight[static_cast<int64_t>(i) + 2].maybe();
    require(!have || *have == kernel[i], ErrorKind::model, "kernel_shape says ", kernel[i], " along spatial axis ", i, ", the weight's shape is ",
            weight);
  }
}

void put_list(OnnxForm& form, const std::string& key, const std::vector<int64_t>& list) {
  if (!list.empty()) form.attributes[key] = list;
}

void put_auto_pad(OnnxForm& form, AutoPad auto_pad) {
  static constexpr std::string_view kNames[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};
  if (auto_pad != AutoPad::notset) form.attributes["auto_pad"] = std::string(kNames[static_cast<size_t>(auto_pad)]);
}

void window_rows(const ConvGeometry& g, const Dims& small, const Dims& large, const Dims& at, WindowRows& rows) {
  rows.axes.resize(small.size());
  rows.small = rows.large = 0;
  rows.empty = false;
  int64_t small_step = 1, large_step = 1;
  for (size_t i = small.size(); i-- > 0;) {
    const int64_t s = g.strides[i], offset = at[i] * g.dilations[i] - g.pads_begin[i];
    const int64_t lo = offset >= 0 ? 0 : (-offset + s - 1) / s;
    const int64_t hi = std::min(small[i], floor_div(large[i] - 1 - offset, s) + 1);
    if (hi <= lo) {
      rows.empty = true;
      return;
    }
    rows.axes[i] = {hi - lo, small_step, large_step * s};
    rows.small += lo * small_step;
    rows.large += (lo * s + offset) * large_step;
    small_step *= small[i];
    large_step *= large[i];
  }
}

}  // namespace onecard
