#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// y[i] = table[x[i]], an 8-bit x counted as a byte (-1 is 255): any function of an 8-bit value. Inputs: x (quantized or not),
// table [256], whose element type and quantization are y's.
struct Lookup : OpBase<Lookup> {
  static constexpr std::string_view kName = "lookup";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::vector<Value*> decompose(Graph&, Node&) const override;
};

}  // namespace onecard
