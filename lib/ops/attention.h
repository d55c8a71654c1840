#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class KeyLayout : uint8_t { tokens_first /* k[B,H,T,D] */, width_first /* k[B,H,D,T] */ };
inline constexpr std::string_view kKeyLayoutNames[] = {"tokens_first", "width_first"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<KeyLayout>{kKeyLayoutNames};

// y[B,H,S,V] = softmax(scale * q[B,H,S,D] @ k^T + bias) @ v[B,H,T,V] over the last axis. Inputs: q, k, v, bias (optional, float, broadcastable to
// [B,H,S,T]). Made by fuse_attention only; the ONNX Attention operator is expanded at import.
struct Attention : OpBase<Attention> {
  static constexpr std::string_view kName = "attention";
  float scale = 1;
  KeyLayout key_layout = KeyLayout::tokens_first;
  static constexpr auto kFields = std::tuple{field("scale", &Attention::scale), field("key_layout", &Attention::key_layout)};

  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::vector<Value*> decompose(Graph&, Node&) const override;
};

}  // namespace onecard
