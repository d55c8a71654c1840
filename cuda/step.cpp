#include "cuda/step.h"

#include <algorithm>

namespace onecard::cuda {
namespace {

// Whether offsets fit 32 bits, also where one extent is 0.
bool fits_32_bits(const Dims& dims) {
  int64_t product = 1;
  for (const int64_t d : dims) {
    if (d > kMostElements) return false;
    product *= std::max<int64_t>(d, 1);
    if (product > kMostElements) return false;
  }
  return true;
}

}  // namespace

Support plain_operands(const KernelQuery& q) {
  for (const auto& types : {q.in, q.out})
    for (const TensorType& t : types) {
      if (t.container == Container::none) continue;
      if (!t.is_static()) return no("needs static tensors, got " + t.text());
      if (t.dtype == DType::string || info(t.dtype).bits % 8 != 0) return no("elements are not whole bytes: " + t.text());
      if (!fits_32_bits(t.shape.numbers())) return no("2^31 elements or more: " + t.text());
    }
  return yes();
}

Support plain_floats(const KernelQuery& q) {
  if (Support s = plain_operands(q); !s) return s;
  for (const auto& types : {q.in, q.out})
    for (const TensorType& t : types)
      if (t.container != Container::none && (t.dtype != DType::f32 || t.quant)) return no("not f32: " + t.text());
  return yes();
}

std::optional<std::vector<int64_t>> known_ints(const KernelQuery& q, size_t i) {
  if (i >= q.constants.size() || !q.constants[i] || q.constants[i]->is_deferred()) return std::nullopt;
  return to_ints(*q.constants[i]);
}

std::unique_ptr<Step> view_step(const KernelQuery& q) {
  auto step = make_step(q, [](const LaunchArgs&) {});
  step->view_of = 0;
  return step;
}

void allow_in_place(Step& step, const KernelQuery& q, size_t i) {
  if (q.has(i) && q.in[i].shape == q.out[0].shape && element_bytes(q.in[i]) == element_bytes(q.out[0])) step.in_place.push_back({0, i});
}

}  // namespace onecard::cuda
