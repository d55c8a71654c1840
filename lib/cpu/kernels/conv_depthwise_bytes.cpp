// Conv of integers with one channel in each group; channels innermost, a panel of them at a time.
#include "lib/cpu/integer_depthwise.h"
#include "lib/cpu/integer_patches.h"
#include "lib/cpu/integer_weights.h"
#include "lib/cpu/kernels.h"
#include "lib/cpu/plain_step.h"

namespace onecard {
namespace {

constexpr int64_t kMostPixels = 64;
constexpr int64_t kMostPositions = 1024;

Support supports(const Conv& op, const KernelQuery& q) {
  if (const Support s = byte_conv_fits(op, q); !s) return s;
  if (op.group != q.in[0].shape[1].number() || op.group != q.out[0].shape[1].number()) return no("not one channel in each group");
  const int64_t positions = patch_shape(op, q).positions();
  return positions <= kMostPositions ? yes() : no("a kernel of " + std::to_string(positions) + " positions");
}

struct Depthwise {
  PatchShape shape;
  IntegerFinish finish;
  ByteSign sign = ByteSign::is_signed;
  int32_t zero = 0;
  std::vector<float> scale;
  int64_t pixels = 1, slots = 1, columns_bytes = 0, slot_bytes = 0;

  int64_t tile_bytes() const { return pixels * integer_panel_columns() * static_cast<int64_t>(sizeof(int32_t)); }

  int64_t share(int threads) {
    const int64_t all = shape.out_pixels(), workers = std::max(threads, 1);
    pixels = std::clamp<int64_t>((all + workers - 1) / workers, 1, kMostPixels);
    slots = std::min(workers, (all + pixels - 1) / pixels);
    columns_bytes = (shape.outputs + integer_panel_columns() + 15) / 16 * 64;
    slot_bytes = (tile_bytes() + pixels * shape.positions() * static_cast<int64_t>(sizeof(void*)) + 63) / 64 * 64;
    return columns_bytes + slots * slot_bytes;
  }

  // Where the channels of every input pixel under the windows of `count` output pixels start.
  void find_inputs(const uint8_t* x, int64_t first, int64_t count, const uint8_t** at) const {
    const PatchShape& s = shape;
    each_pixel(s, first, count, [&](int64_t, int64_t image, const std::array<int64_t, 3>& origin) {
      const uint8_t* from = x + image * s.in[0] * s.in[1] * s.in[2] * s.channels;
      for (int64_t a = 0; a < s.kernel[0]; ++a)
        for (int64_t b = 0; b < s.kernel[1]; ++b)
          for (int64_t c = 0; c < s.kernel[2]; ++c) {
            const int64_t d = origin[0] + a * s.dilations[0], h = origin[1] + b * s.dilations[1], w = origin[2] + c * s.dilations[2];
            const bool inside = d >= 0 && d < s.in[0] && h >= 0 && h < s.in[1] && w >= 0 && w < s.in[2];
            *at++ = inside ? from + ((d * s.in[1] + h) * s.in[2] + w) * s.channels : nullptr;
          }
    });
  }

  void run_pixels(const LaunchArgs& args, int64_t first, int64_t count, int32_t* tile, const uint8_t** at) const {
    const int64_t width = integer_panel_columns(), positions = shape.positions(), channels = shape.channels;
    find_inputs(static_cast<const uint8_t*>(args.in[0]), first, count, at);
    for (int64_t c = 0; c < channels; c += width) {
      const auto* weights = static_cast<const int16_t*>(args.in[1]) + c / width * depthwise_panel(positions);
      multiply_depthwise({sign, zero, positions, c, std::min(width, channels - c), weights}, at, count, tile);
      const int64_t to = first * channels + c;
      FinishPlace place{static_cast<char*>(args.out[0]) + to * (info(finish.y).bits / 8), nullptr, channels};
      if (args.in.size() > 3 && args.in[3]) place.residual = static_cast<const char*>(args.in[3]) + to * (info(finish.residual).bits / 8);
      const FinishColumns columns{scale.data() + c, static_cast<const float*>(args.workspace) + c, nullptr};
      finish_tile(finish, columns, {}, tile, count, std::min(width, channels - c), place);
    }
  }

  void run(const LaunchArgs& args) const {
    auto* bias = static_cast<float*>(args.workspace);
    std::fill_n(bias, columns_bytes / static_cast<int64_t>(sizeof(float)), 0.0f);
    if (args.in.size() > 2 && args.in[2]) std::copy_n(static_cast<const float*>(args.in[2]), shape.outputs, bias);
    const int64_t all = shape.out_pixels(), blocks = (all + pixels - 1) / pixels;
    in_parallel(slots, 1, [&](int64_t begin, int64_t end) {
      for (int64_t slot = begin; slot < end; ++slot) {
        char* own = static_cast<char*>(args.workspace) + columns_bytes + slot * slot_bytes;
        auto* at = reinterpret_cast<const uint8_t**>(own);
        auto* tile = reinterpret_cast<int32_t*>(own + pixels * shape.positions() * static_cast<int64_t>(sizeof(void*)));
        for (int64_t b = blocks * slot / slots; b < blocks * (slot + 1) / slots; ++b)
          run_pixels(args, b * pixels, std::min(pixels, all - b * pixels), tile, at);
      }
    });
  }
};

PackedWeight packed_weight(const PatchShape& s, const TensorType& type) {
  const int64_t width = integer_panel_columns(), panels = (s.channels + width - 1) / width, positions = s.positions(), channels = s.channels;
  PackedWeight packed;
  packed.input = 1;
  packed.key = "int16 depthwise panels of " + std::to_string(width);
  packed.bytes = panels * depthwise_panel(positions) * static_cast<int64_t>(sizeof(int16_t));
  packed.pack = [=, quant = type.quant](const Tensor& plain, void* to) {
    std::vector<int16_t> centred(static_cast<size_t>(channels * positions));
    for (int64_t i = 0; i < channels * positions; ++i)
      centred[static_cast<size_t>(i)] = static_cast<int16_t>(plain.int_at(i) - quant->zero_at(static_cast<size_t>(i / positions)));
    for (int64_t p = 0; p < panels; ++p)
      pack_depthwise(centred.data() + p * width * positions, std::min(width, channels - p * width), positions,
                     static_cast<int16_t*>(to) + p * depthwise_panel(positions));
  };
  return packed;
}

std::unique_ptr<Step> prepare(const Conv& op, const KernelQuery& q) {
  const PerTensor x = *per_tensor(q.in[0]);
  Depthwise d;
  d.shape = patch_shape(op, q);
  d.finish = integer_finish(q, op.activation, op.add_order, 3);
  d.sign = sign_of(q.in[0].dtype);
  d.zero = x.zero;
  d.scale = byte_weights(q.in[1], 0, op.group)->scale;
  finish_scales(d.finish, d.scale, q, 0);
  const IntegerFinish finish = d.finish;
  d.scale = padded_columns(std::move(d.scale));
  const int64_t workspace = d.share(q.threads);
  const double flops = 2.0 * static_cast<double>(d.shape.out_pixels()) * static_cast<double>(d.shape.channels * d.shape.positions());
  PackedWeight packed = packed_weight(d.shape, q.in[1]);
  auto step = plain_step(q, [d = std::move(d)](const LaunchArgs& args) { d.run(args); });
  step->workspace_bytes = workspace;
  step->flops = flops;
  step->weights.push_back(std::move(packed));
  bind_integer_conv(*step, q, finish);
  return step;
}

}  // namespace

std::unique_ptr<Kernel> make_conv_depthwise_bytes_kernel(const OneDnnPtr&) {
  return std::make_unique<KernelFor<Conv, supports, prepare>>("cpu.conv_depthwise_int8");
}

}  // namespace onecard
