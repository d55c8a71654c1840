#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

#include "lib/runtime/data/samples.h"

namespace onecard {

namespace {

std::vector<float> parse_floats(const std::string& key, const std::string& text) {
  std::vector<float> out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('/', at), text.size());
    float v = 0;
    const auto [stop, code] = std::from_chars(text.data() + at, text.data() + end, v);
    require(code == std::errc() && stop == text.data() + end, ErrorKind::usage, "--preprocess ", key, "=", text, ": not a number");
    out.push_back(v);
    at = end + 1;
  }
  if (out.size() == 1) out.resize(3, out[0]);
  require(out.size() == 3, ErrorKind::usage, "--preprocess ", key, " takes one number or three, as 1/2/3");
  return out;
}

// key=value pairs between commas; a list's numbers may be separated by commas or slashes: a part without '=' continues the one before.
std::vector<std::pair<std::string, std::string>> split_spec(const std::string& spec) {
  std::vector<std::pair<std::string, std::string>> parts;
  for (size_t at = 0; at <= spec.size();) {
    const size_t end = std::min(spec.find(',', at), spec.size());
    const std::string part = spec.substr(at, end - at);
    const size_t eq = part.find('=');
    if (eq != std::string::npos) parts.emplace_back(part.substr(0, eq), part.substr(eq + 1));
    else {
      require(!parts.empty() && !part.empty(), ErrorKind::usage, "--preprocess '", spec, "': expected imagenet, unit, raw or key=value pairs");
      parts.back().second += "/" + part;
    }
    at = end + 1;
  }
  return parts;
}

int64_t parse_size(const std::string& key, const std::string& text) {
  int64_t v = 0;
  const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), v);
  require(code == std::errc() && stop == text.data() + text.size() && v > 0 && v <= 16384, ErrorKind::usage, "--preprocess ", key, "=", text,
          ": expected a size in pixels");
  return v;
}

// Whether the value is the second of the two that there are.
bool second_of(const std::string& key, const std::string& value, const char* first, const char* second, const char* hint) {
  require(value == first || value == second, ErrorKind::usage, "--preprocess ", key, "=", value, ": the values are ", first, " and ", second, hint);
  return value == second;
}

struct Picture {
  int64_t height = 0, width = 0;
  std::vector<float> rgb;  // interleaved, 0 to 255
};

constexpr int64_t kMostPixels = int64_t{1} << 26;  // a file of a few bytes may claim any number

Picture load(const Path& path) {
  const auto file = MappedFile::open(path);
  int w = 0, h = 0, channels = 0;
  require(file->bytes().size() < (size_t{1} << 30), ErrorKind::io, "the picture is too large");
  const bool known =
      stbi_info_from_memory(reinterpret_cast<const stbi_uc*>(file->bytes().data()), static_cast<int>(file->bytes().size()), &w, &h, &channels) != 0;
  require(known, ErrorKind::io, "not a picture that can be read: ", stbi_failure_reason());
  require(int64_t{w} * h <= kMostPixels, ErrorKind::io, "the picture has ", w, "x", h, " pixels, at most ", kMostPixels, " are read");
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(reinterpret_cast<const stbi_uc*>(file->bytes().data()), static_cast<int>(file->bytes().size()), &w, &h, &channels, 3),
      stbi_image_free);
  require(pixels != nullptr, ErrorKind::io, "not a picture that can be read: ", stbi_failure_reason());
  Picture p{h, w, {}};
  p.rgb.assign(pixels.get(), pixels.get() + static_cast<size_t>(w) * static_cast<size_t>(h) * 3);
  return p;
}

// The weights of the source pixels for each result pixel: a triangle filter as wide as the reduction, as PIL's BILINEAR.
struct Taps {
  int64_t first = 0;
  std::vector<double> weight;
};
std::vector<Taps> make_taps(int64_t from, int64_t to) {
  const double ratio = static_cast<double>(from) / static_cast<double>(to), support = std::max(1.0, ratio);
  std::vector<Taps> all(static_cast<size_t>(to));
  for (int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * ratio;
    Taps& t = all[static_cast<size_t>(i)];
    t.first = std::max<int64_t>(0, static_cast<int64_t>(centre - support + 0.5));
    const int64_t end = std::min(from, static_cast<int64_t>(centre + support + 0.5));
    double sum = 0;
    for (int64_t k = t.first; k < end; ++k) {
      t.weight.push_back(std::max(0.0, 1 - std::fabs((static_cast<double>(k) + 0.5 - centre) / support)));
      sum += t.weight.back();
    }
    for (double& w : t.weight) w /= sum;
  }
  return all;
}

// The nearest whole number of what is not negative, half up.
float whole(double v) { return static_cast<float>(static_cast<int32_t>(static_cast<double>(static_cast<float>(v)) + 0.5)); }

Picture resize(const Picture& p, int64_t height, int64_t width) {
  Picture wide{p.height, width, std::vector<float>(static_cast<size_t>(p.height * width * 3))};
  const auto columns = make_taps(p.width, width), rows = make_taps(p.height, height);
  for (int64_t y = 0; y < p.height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < 3; ++c) {
        double v = 0;
        const Taps& t = columns[static_cast<size_t>(x)];
        for (size_t k = 0; k < t.weight.size(); ++k)
          v += t.weight[k] * p.rgb[static_cast<size_t>((y * p.width + t.first + static_cast<int64_t>(k)) * 3 + c)];
        wide.rgb[static_cast<size_t>((y * width + x) * 3 + c)] = whole(v);
      }
  Picture out{height, width, std::vector<float>(static_cast<size_t>(height * width * 3))};
  std::vector<double> sums(static_cast<size_t>(width * 3));
  for (int64_t y = 0; y < height; ++y) {
    const Taps& t = rows[static_cast<size_t>(y)];
    std::fill(sums.begin(), sums.end(), 0.0);
    for (size_t k = 0; k < t.weight.size(); ++k) {
      const float* const row = wide.rgb.data() + (t.first + static_cast<int64_t>(k)) * width * 3;
      for (size_t i = 0; i < sums.size(); ++i) sums[i] += t.weight[k] * row[i];
    }
    for (size_t i = 0; i < sums.size(); ++i) out.rgb[static_cast<size_t>(y * width * 3) + i] = whole(sums[i]);
  }
  return out;
}

Picture crop(const Picture& p, int64_t height, int64_t width) {
  Picture out{height, width, std::vector<float>(static_cast<size_t>(height * width * 3))};
  const int64_t top = (p.height - height) / 2, left = (p.width - width) / 2;
  for (int64_t y = 0; y < height; ++y) std::copy_n(p.rgb.begin() + ((top + y) * p.width + left) * 3, width * 3, out.rgb.begin() + y * width * 3);
  return out;
}

}  // namespace

Preprocess parse_preprocess(const std::string& spec) {
  Preprocess p;
  if (spec == "unit") return p;
  if (spec == "raw") {
    p.scale = 1;
    return p;
  }
  if (spec == "imagenet") {
    p.resize = 256, p.crop = 224;
    p.mean = {0.485f, 0.456f, 0.406f}, p.std = {0.229f, 0.224f, 0.225f};
    return p;
  }
  for (const auto& [key, value] : split_spec(spec)) {
    if (key == "resize") p.resize = parse_size(key, value);
    else if (key == "crop") p.crop = parse_size(key, value);
    else if (key == "color") p.bgr = second_of(key, value, "rgb", "bgr", "; an input of one channel gets grey by itself");
    else if (key == "layout") p.nhwc = second_of(key, value, "nchw", "nhwc", "");
    else if (key == "mean") p.mean = parse_floats(key, value);
    else if (key == "std") p.std = parse_floats(key, value);
    else if (key == "scale") {
      const size_t slash = value.find("1/");
      p.scale = slash == 0 ? 1 / parse_floats(key, value.substr(2))[0] : parse_floats(key, value)[0];
    } else
      fail(ErrorKind::usage, "--preprocess ", key, "=", value, ": there is no key '", key, "'; keys: resize, crop, color, layout, mean, std, scale");
  }
  return p;
}

Tensor read_photograph(const Path& path, const Preprocess& how, const Value& input) {
  ErrorScope scope("reading " + path.string());
  const Shape& shape = input.type.shape;
  const DType dtype = input.type.dtype;
  const bool takes = dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16 || dtype == DType::f64 || dtype == DType::u8;
  require(takes && shape.has_rank() && shape.rank() == 4, ErrorKind::usage, "a photograph cannot feed '", input.name, "' of type ", input.type);
  require(dtype != DType::u8 || how.scale == 1, ErrorKind::usage, "'", input.name,
          "' takes whole numbers from 0 to 255: --preprocess raw, or scale=1");
  Picture p = load(path);
  const int64_t h_axis = how.nhwc ? 1 : 2, channels = shape[how.nhwc ? 3 : 1].maybe().value_or(3);
  require(channels == 3 || channels == 1, ErrorKind::usage, "a photograph has 3 colours, '", input.name, "' takes ", channels, " channels");
  const int64_t height = how.crop ? how.crop : shape[h_axis].maybe().value_or(p.height),
                width = how.crop ? how.crop : shape[h_axis + 1].maybe().value_or(p.width);
  if (how.resize) {
    const double factor = static_cast<double>(how.resize) / static_cast<double>(std::min(p.height, p.width));
    const auto scaled = [&](int64_t n) { return std::max(how.resize, static_cast<int64_t>(static_cast<double>(n) * factor)); };
    p = resize(p, p.height <= p.width ? how.resize : scaled(p.height), p.width <= p.height ? how.resize : scaled(p.width));
    require(p.height >= height && p.width >= width, ErrorKind::usage, "--preprocess crops ", height, "x", width, " out of ", p.height, "x", p.width);
    p = crop(p, height, width);
  } else if (p.height != height || p.width != width) {
    p = resize(p, height, width);
  }
  Tensor t(DType::f32, how.nhwc ? Dims{1, height, width, channels} : Dims{1, channels, height, width});
  auto out = t.data<float>();
  for (int64_t i = 0; i < height * width; ++i) {
    const float* rgb = &p.rgb[static_cast<size_t>(i * 3)];
    for (int64_t c = 0; c < channels; ++c) {
      const auto k = static_cast<size_t>(how.bgr ? 2 - c : c);
      const float colour = channels == 1 ? 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2] : rgb[k];
      const auto m = static_cast<size_t>(c);
      out[static_cast<size_t>(how.nhwc ? i * channels + c : c * height * width + i)] = (colour * how.scale - how.mean[m]) / how.std[m];
    }
  }
  if (dtype == DType::f32) return t;
  if (dtype != DType::u8) return convert(t, dtype);
  Tensor whole(DType::u8, t.dims());
  std::ranges::transform(out, whole.data<uint8_t>().begin(),
                         [](float v) { return static_cast<uint8_t>(std::lround(std::fmin(std::fmax(v, 0.0f), 255.0f))); });
  return whole;
}

}  // namespace onecard
