#include "lib/ops/mel_weight_matrix.h"

#include <cmath>

#include "lib/ops/real_values.h"

namespace onecard {

namespace {

constexpr OnnxName kNames[] = {{"", "MelWeightMatrix", 17}};
constexpr int64_t kLimit = int64_t{1} << 32;

Dim scalar(const InferContext& in, size_t i) {
  const auto v = in.contents(i);
  require(!v || v->size() == 1, ErrorKind::model, "input ", i, " must be one number");
  if (v && (*v)[0].is_number()) require((*v)[0].number() >= 0 && (*v)[0].number() <= kLimit, ErrorKind::model, "input ", i, " is ", (*v)[0].number());
  return v ? (*v)[0] : Dim::unknown();
}

}  // namespace

std::vector<TensorType> MelWeightMatrix::infer(const InferContext& in) const {
  for (size_t i = 0; i < 3; ++i) require(is_integer(in.dtype(i)), ErrorKind::model, "input ", i, " is ", info(in.dtype(i)).name);
  for (size_t i = 3; i < 5; ++i) visit_float(in.dtype(i), [](auto) {});
  require(is_float(dtype) || is_integer(dtype), ErrorKind::model, "a matrix of ", info(dtype).name);
  return {TensorType(dtype, Shape{scalar(in, 1) / 2 + 1, scalar(in, 0)})};
}

void MelWeightMatrix::reference(Inputs in, Outputs out) const {
  const int64_t mels = in[0]->int_at(0), length = in[1]->int_at(0), rate = in[2]->int_at(0), rows = length / 2 + 1;
  require(mels >= 0 && mels <= kLimit && length >= 0 && length <= kLimit && rate >= 1, ErrorKind::model, "mel bins ", mels, ", dft length ", length, ", sample rate ", rate);
  if (!out[0].has_value()) out[0] = Tensor(dtype, {rows, mels});
  const auto to_mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const double low = to_mel(in[3]->at(0)), step = (to_mel(in[4]->at(0)) - low) / static_cast<double>(mels + 2);
  // The spectrum's row where triangle i begins, the next where it peaks, the one after where it ends.
  const auto bin = [&](int64_t i) {
    const double hertz = 700 * (std::pow(10.0, (static_cast<double>(i) * step + low) / 2595) - 1);
    const double row = std::floor(static_cast<double>(length + 1) * hertz / static_cast<double>(rate));
    require(row >= 0 && row < static_cast<double>(rows), ErrorKind::model, "the mel bands reach beyond the spectrum of ", rows, " frequencies");
    return static_cast<int64_t>(row);
  };
  std::vector<double> m(static_cast<size_t>(out[0].elements()), 0.0);
  for (int64_t i = 0; i < mels; ++i) {
    const int64_t left = bin(i), centre = bin(i + 1), right = bin(i + 2);
    const auto cell = [&](int64_t row) -> double& { return m[static_cast<size_t>(row * mels + i)]; };
    if (left == centre) cell(centre) = 1;
    for (int64_t j = left; left != centre && j <= centre; ++j) cell(j) = static_cast<double>(j - left) / static_cast<double>(centre - left);
    for (int64_t j = centre; j < right; ++j) cell(j) = static_cast<double>(right - j) / static_cast<double>(right - centre);
  }
  store_doubles(out[0], 0, m);
}

std::optional<OnnxForm> MelWeightMatrix::to_onnx(const Node&) const { return OnnxForm{"MelWeightMatrix", {{"output_datatype", static_cast<int64_t>(dtype)}}, ""}; }

const std::span<const OnnxName> MelWeightMatrix::kOnnx{kNames};

std::vector<Value*> MelWeightMatrix::from_onnx(const OnnxNode& node) {
  MelWeightMatrix op;
  const auto code = node.attr<int64_t>("output_datatype", 1);
  require(dtype_is_known(code), ErrorKind::model, "output_datatype is ", code);
  op.dtype = static_cast<DType>(code);
  return node.add_all(std::move(op), {node.needed(0), node.needed(1), node.needed(2), node.needed(3), node.needed(4)});
}

DEFINE_OP(MelWeightMatrix)

}  // namespace onecard
