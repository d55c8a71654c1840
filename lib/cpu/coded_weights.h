#pragma once
#include <optional>

#include "lib/cpu/coded_gemm.h"
#include "lib/device/kernel.h"

namespace onecard {

// A constant of 4- or 8-bit integers as the right operand of a product, and where its numbers lie in the tensor.
struct CodedWeights {
  CodedForm form;
  int64_t k_step = 0, n_step = 0;    // elements between neighbours along k and n
  int64_t scale_k = 0, scale_n = 0;  // the same in the list of scales, from block to block and from column to column
  int64_t zero_k = 0, zero_n = 0;    // of zero points
};
// None unless the integers have one scale, one per column, or one per column and block along k; the matrix lies along the last two axes of the
// tensor, n last or, `turned`, k last, and there is one.
enum class Lies : uint8_t { plain, turned };
std::optional<CodedWeights> coded_weights(const TensorType& b, Lies lies);
// The form's bytes for the constant in `input`.
PackedWeight packed_codes(size_t input, const CodedWeights& weights);

}  // namespace onecard
