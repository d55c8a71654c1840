#include "lib/flow/compression/layer_bias.h"

#include "lib/ops/arithmetic.h"

namespace onecard {

std::optional<std::vector<double>> bias_of(const Layer& l) {
  const size_t input = is_recurrent(l) ? 3 : 2;
  const int64_t columns = l.groups * l.width, elements = input == 3 ? 2 * columns : columns;
  const Value* bias = l.node->input(input);
  if (!bias) return std::vector<double>(static_cast<size_t>(elements), 0.0);
  if (!bias->constant || bias->type.quant || !is_float(bias->type.dtype)) return std::nullopt;
  const ConstTensor data = materialize(bias->constant);
  const bool flat = input == 3 || (data->rank() > 0 && data->dims().back() == data->elements());
  if (data->elements() != elements || !flat) return std::nullopt;
  return to_doubles(*data);
}

Tensor bias_tensor(const Layer& l, const std::vector<double>& values, DType dtype) {
  const bool recurrent = static_cast<int64_t>(values.size()) != l.groups * l.width;
  Tensor t(dtype, recurrent ? Dims{l.groups, 2 * l.width} : Dims{l.groups * l.width});
  for (size_t i = 0; i < values.size(); ++i) t.set(static_cast<int64_t>(i), values[i]);
  return t;
}

size_t bias_place(const Layer& l, size_t bias_size, int64_t g, int64_t n) {
  const bool recurrent = static_cast<int64_t>(bias_size) != l.groups * l.width;
  return static_cast<size_t>(recurrent ? g * 2 * l.width + n : g * l.width + n);
}

}  // namespace onecard
