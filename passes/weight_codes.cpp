#include "passes/weight_codes.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "lib/base/parallel.h"
#include "lib/base/round_small.h"
#include "lib/ops/axes.h"

namespace onecard {

namespace {

// What the largest |w| of a block becomes, in steps: beyond 7.5 it is clipped, which makes every other step finer.
constexpr std::array kTops = {6.6f, 7.0f, 7.4f, 7.8f, 8.2f, 8.7f, 9.3f, 10.0f, 11.0f};
// The share of its range that a block with a zero point keeps.
constexpr std::array kShares = {1.0f, 0.95f, 0.9f, 0.84f, 0.77f, 0.7f};
constexpr int64_t kFewest4 = 4096, kShortestBlock = 16;  // elements of a weight of four bits, of a block
constexpr double kMostError = 2e-4;                      // that one scale per channel may cost: 37 dB
constexpr int64_t kByteBlocks[] = {128, 64, 32};

// A scale that f16 holds, or x itself where f16 has no room for it.
float as_half(float x) {
  const float half = Half(x);
  return half >= 0x1p-14f && half <= 65504.0f ? half : x;
}

// The share of the error below which zero points are worth their four bits a block: the error falls to a quarter with every bit a weight has.
double zero_points_pay(int64_t block) { return std::pow(4.0, -4.0 / static_cast<double>(block)); }

// The elements of one block, side by side.
struct Block {
  std::vector<float> w, importance;
  float low = 0, high = 0;  // 0 included
  double norm = 0;
};

struct Code {
  float scale = 1;
  int32_t zero = 0;
  double error = INFINITY;
};

double error_of(const Block& b, float scale, float zero, float low, float high) {
  const float inverse = 1 / scale;
  float sum = 0;
  const size_t n = b.w.size();
  for (size_t i = 0; i < n; ++i) {
    const float code = std::clamp(round_small(b.w[i] * inverse) + zero, low, high);
    const float d = (code - zero) * scale - b.w[i];
    sum += d * d * b.importance[i];
  }
  return static_cast<double>(sum);
}

// The scale with the least error for the codes that `scale` gives: sum w q / sum q^2.
float fitted(const Block& b, float scale, float zero, float low, float high) {
  const float inverse = 1 / scale;
  double wq = 0, qq = 0;
  for (size_t i = 0; i < b.w.size(); ++i) {
    const double q = std::clamp(round_small(b.w[i] * inverse) + zero, low, high) - zero;
    wq += b.importance[i] * q * b.w[i];
    qq += b.importance[i] * q * q;
  }
  return qq > 0 && wq > 0 ? static_cast<float>(wq / qq) : scale;
}

void consider(const Block& b, float scale, float zero, float low, float high, Code& best) {
  if (!std::isnormal(scale)) return;
  const double error = error_of(b, scale, zero, low, high);
  if (error < best.error) best = {scale, static_cast<int32_t>(zero), error};
}

Code symmetric4(const Block& b) {
  Code best;
  const float top = std::max(b.high, -b.low);
  for (const float t : kTops) consider(b, as_half(top / t), 0, -8, 7, best);
  if (std::isfinite(best.error)) consider(b, as_half(fitted(b, best.scale, 0, -8, 7)), 0, -8, 7, best);
  return std::isfinite(best.error) ? best : Code{1, 0, 0};
}

Code around_zero_point(const Block& b) {
  Code best;
  for (const float share : kShares) {
    const float scale = as_half((b.high - b.low) * share / 15);
    if (std::isnormal(scale)) consider(b, scale, std::clamp(round_small(-b.low * share / scale), 0.0f, 15.0f), 0, 15, best);
  }
  if (!std::isfinite(best.error)) return {1, 8, 0};
  const auto zero = static_cast<float>(best.zero);
  consider(b, as_half(fitted(b, best.scale, zero, 0, 15)), zero, 0, 15, best);
  return best;
}

Code symmetric8(const Block& b) {
  const float scale = std::max(b.high, -b.low) / 127.0f;
  Code code{std::isnormal(scale) ? scale : 1.0f, 0, 0};
  code.error = error_of(b, code.scale, 0, -127, 127);
  return code;
}

// The blocks of a tensor by the index of their scale.
class Blocks {
 public:
  Blocks(const Tensor& w, const CodeForm& form, const Tensor* importance)
      : w_(w), importance_(importance), view_(axis_view(w.dims(), form.axis)), block_(form.block), blocks_((view_.extent + block_ - 1) / block_) {}
  int64_t count() const { return view_.outer * blocks_ * view_.inner; }
  // False when an element is not finite.
  bool read(int64_t index, Block& b) const {
    const int64_t inner = index % view_.inner, k = index / view_.inner % blocks_ * block_, o = index / view_.inner / blocks_;
    const int64_t at = (o * view_.extent + k) * view_.inner + inner;
    const auto n = static_cast<size_t>(std::min(block_, view_.extent - k));
    b.w.resize(n);
    b.importance.assign(n, 1.0f);
    const float* from = w_.data<float>().data() + at;
    for (size_t i = 0; i < n; ++i) b.w[i] = from[static_cast<int64_t>(i) * view_.inner];
    if (importance_) {
      const float* weight = importance_->data<float>().data() + at;
      for (size_t i = 0; i < n; ++i) b.importance[i] = weight[static_cast<int64_t>(i) * view_.inner];
    }
    b.low = b.high = 0;
    b.norm = 0;
    bool finite = true;
    for (size_t i = 0; i < n; ++i) {
      finite = finite && std::isfinite(b.w[i]);
      b.low = std::min(b.low, b.w[i]);
      b.high = std::max(b.high, b.w[i]);
      b.norm += static_cast<double>(b.w[i]) * b.w[i] * b.importance[i];
    }
    return finite;
  }

 private:
  const Tensor& w_;
  const Tensor* importance_;
  AxisView view_;
  int64_t block_ = 1, blocks_ = 1;
};

// Rows of a tensor, the elements of one outer index each, that one task looks at.
constexpr int64_t kTaskElements = int64_t{1} << 18;
constexpr int64_t kLanes = 16;  // sums that do not wait for one another

// Bytes with one scale, or one per index of an axis: in the order in which the weight lies.
class BytesByIndex {
 public:
  BytesByIndex(const Tensor& w, int64_t axis, const Tensor* importance)
      : from_(w.data<float>().data()), weight_(importance ? importance->data<float>().data() : nullptr), axis_(axis) {
    view_ = axis >= 0 ? axis_view(w.dims(), axis) : AxisView{1, 1, w.elements()};
    if (view_.extent == 1) view_ = {1, 1, w.elements()};
    // What lies side by side and has one scale each is a row of scales; what has one scale is a run.
    side_by_side_ = view_.inner == 1 && view_.extent > 1;
    row_ = side_by_side_ ? view_.extent : view_.inner;
    rows_ = w.elements() / std::max<int64_t>(row_, 1);
    per_task_ = std::max<int64_t>(1, kTaskElements / std::max<int64_t>(row_, 1));
    tasks_ = (rows_ + per_task_ - 1) / per_task_;
  }

  std::optional<CodeChoice> choose() {
    std::vector<std::vector<float>> tops(static_cast<size_t>(tasks_));
    parallel_for(tasks_, 1, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) tops[static_cast<size_t>(t)] = tops_of(t);
    });
    std::vector<float> top(static_cast<size_t>(view_.extent), 0.0f);
    for (const std::vector<float>& some : tops)
      for (size_t e = 0; e < top.size(); ++e) top[e] = some[e] > top[e] || !(some[e] == some[e]) ? some[e] : top[e];
    auto quant = std::make_shared<Quantization>();
    quant->axis = axis_;
    quant->scale.clear();
    for (const float most : top) {
      if (!std::isfinite(most)) return std::nullopt;
      quant->scale.push_back(std::isnormal(most / 127.0f) ? most / 127.0f : 1.0f);
    }
    std::vector<Errors> errors(static_cast<size_t>(tasks_));
    parallel_for(tasks_, 1, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) errors[static_cast<size_t>(t)] = errors_of(t, quant->scale);
    });
    Errors all;
    for (const Errors& e : errors) all.lost += e.lost, all.norm += e.norm;
    return CodeChoice{DType::i8, std::move(quant), all.norm > 0 ? all.lost / all.norm : 0};
  }

 private:
  struct Errors {
    double lost = 0, norm = 0;
  };
  size_t scale_of(int64_t row) const { return side_by_side_ ? 0 : static_cast<size_t>(row % view_.extent); }
  int64_t last_row(int64_t task) const { return std::min(rows_, (task + 1) * per_task_); }

  // The largest |w| of each index in a task; NaN in the first place where an element is not finite.
  std::vector<float> tops_of(int64_t task) const {
    std::vector<float> top(static_cast<size_t>(view_.extent), 0.0f);
    float bad[kLanes] = {};  // NaN where an element is not finite
    for (int64_t r = task * per_task_; r < last_row(task); ++r) {
      const float* w = from_ + r * row_;
      if (side_by_side_) {
        for (int64_t e = 0; e < row_; ++e) {
          const float v = std::abs(w[e]);
          top[static_cast<size_t>(e)] = std::max(top[static_cast<size_t>(e)], v);
          bad[e % kLanes] += v * 0;
        }
        continue;
      }
      float most[kLanes] = {};
      for (int64_t i = 0; i < row_; i += kLanes) {
        const int64_t from = std::min(i, std::max<int64_t>(row_ - kLanes, 0)), lanes = std::min(kLanes, row_);
        for (int64_t k = 0; k < lanes; ++k) {
          const float v = std::abs(w[from + k]);
          most[k] = std::max(most[k], v);
          bad[k] += v * 0;
        }
      }
      float& to = top[scale_of(r)];
      for (const float m : most) to = std::max(to, m);
    }
    for (const float b : bad) top[0] += b;
    return top;
  }

  Errors errors_of(int64_t task, const std::vector<float>& scales) const {
    Errors sum;
    std::vector<float> inverse;
    for (const float s : scales) inverse.push_back(1 / s);
    for (int64_t r = task * per_task_; r < last_row(task); ++r) {
      const float *w = from_ + r * row_, *weight = weight_ ? weight_ + r * row_ : nullptr;
      const size_t s = scale_of(r), step = side_by_side_ ? 1 : 0;
      float lost[kLanes] = {}, all[kLanes] = {};
      const auto one = [&](int64_t i, int64_t lane) {
        const size_t at = s + step * static_cast<size_t>(i);
        const float d = round_small(w[i] * inverse[at]) * scales[at] - w[i], times = weight ? weight[i] : 1.0f;
        lost[lane] += d * d * times;
        all[lane] += w[i] * w[i] * times;
      };
      int64_t i = 0;
      for (; i + kLanes <= row_; i += kLanes)
        for (int64_t k = 0; k < kLanes; ++k) one(i + k, k);
      for (; i < row_; ++i) one(i, 0);
      for (int64_t k = 0; k < kLanes; ++k) sum.lost += static_cast<double>(lost[k]), sum.norm += static_cast<double>(all[k]);
    }
    return sum;
  }

  const float *from_, *weight_;
  int64_t axis_;
  AxisView view_;
  bool side_by_side_ = false;
  int64_t row_ = 0, rows_ = 0, per_task_ = 1, tasks_ = 0;
};

// The codes of all blocks found one way, and what they cost together.
struct Found {
  std::vector<Code> codes;
  double error() const {
    double sum = 0;
    for (const Code& c : codes) sum += c.error;
    return sum;
  }
};

CodeChoice choice_of(const Found& found, DType dtype, const CodeForm& form, double norm) {
  auto quant = std::make_shared<Quantization>();
  quant->axis = form.axis;
  quant->block = form.block;
  quant->scale.clear();
  quant->zero_point.clear();
  for (const Code& c : found.codes) {
    quant->scale.push_back(c.scale);
    quant->zero_point.push_back(c.zero);
  }
  const int32_t first = quant->zero_point.at(0);
  if (std::all_of(quant->zero_point.begin(), quant->zero_point.end(), [&](int32_t z) { return z == first; })) quant->zero_point.resize(1);
  return {dtype, std::move(quant), norm > 0 ? found.error() / norm : 0};
}

}  // namespace

std::optional<CodeChoice> choose_codes(const Tensor& w, const CodeForm& form, const Tensor* importance) {
  if (w.elements() == 0) return std::nullopt;
  if (form.block == 0 && form.dtype == DType::i8) return BytesByIndex(w, form.axis, importance).choose();
  require(form.axis >= 0 && form.block > 0, ErrorKind::internal, "four bits come in blocks");
  const Blocks blocks(w, form, importance);
  const auto count = static_cast<size_t>(blocks.count());
  const bool four = form.dtype == DType::i4;
  Found symmetric{std::vector<Code>(count)}, around{std::vector<Code>(four ? count : 0)};
  std::vector<double> norms(count);
  std::vector<uint8_t> finite(count);
  const int64_t grain = std::max<int64_t>(1, (1 << 14) * blocks.count() / w.elements());
  parallel_for(blocks.count(), grain, [&](int64_t begin, int64_t end) {
    Block b;
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      finite[i] = blocks.read(static_cast<int64_t>(i), b);
      if (!finite[i]) continue;
      norms[i] = b.norm;
      symmetric.codes[i] = four ? symmetric4(b) : symmetric8(b);
      if (four) around.codes[i] = around_zero_point(b);
    }
  });
  if (std::find(finite.begin(), finite.end(), 0) != finite.end()) return std::nullopt;
  double norm = 0;
  for (const double n : norms) norm += n;
  if (four && around.error() < zero_points_pay(form.block) * symmetric.error()) return choice_of(around, DType::u4, form, norm);
  return choice_of(symmetric, form.dtype, form, norm);
}

std::optional<CodeChoice> choose_codes(const Tensor& w, const WeightSite& site, const CodeRequest& request, const Tensor* importance) {
  const bool integers = request.inputs == CodeRequest::Inputs::integers && site.use == WeightUse::direct;
  if (request.weights == WeightPrecision::int4 && site.sum_extent >= kShortestBlock && w.elements() >= kFewest4)
    return choose_codes(w, CodeForm{DType::i4, site.sum_axis, std::min(request.block, site.sum_extent)}, importance);
  const bool one_each = (site.channel_axis && site.matrices == 1) || integers || site.sum_extent < kShortestBlock;
  auto best = choose_codes(w, one_each ? CodeForm{DType::i8, site.channel_axis.value_or(-1), 0} : CodeForm{DType::i8, site.sum_axis, site.sum_extent},
                           importance);
  for (const int64_t block : kByteBlocks) {
    if (!best || best->error <= kMostError || integers) break;
    if (site.sum_extent >= 2 * block) best = choose_codes(w, CodeForm{DType::i8, site.sum_axis, block}, importance);
  }
  return best;
}

}  // namespace onecard
