#pragma once
#include "lib/ops/registry.h"

namespace onecard {

enum class TermWeight : uint8_t { tf, idf, tfidf };
inline constexpr std::string_view kTermWeightNames[] = {"tf", "idf", "tfidf"};
template <> inline constexpr std::span<const std::string_view> kEnumNames<TermWeight>{kTermWeightNames};
// Counts n-grams of a pool in each row of x ([c] or [n, c]; integers or strings), with up to max_skip elements left out between theirs.
// ngram_counts[i]: where the pool's n-grams of length i + 1 start; ngram_indexes[j]: the output column of n-gram j.
struct TfIdfVectorizer : OpBase<TfIdfVectorizer> {
  static constexpr std::string_view kName = "tf_idf_vectorizer";
  TermWeight weight = TermWeight::tf;
  int64_t min_length = 1;
  int64_t max_length = 1;
  int64_t max_skip = 0;
  std::vector<int64_t> ngram_counts;
  std::vector<int64_t> ngram_indexes;
  std::vector<int64_t> pool_ints;
  std::vector<std::string> pool_strings;
  std::vector<float> weights;
  static constexpr auto kFields = std::tuple{field("weight", &TfIdfVectorizer::weight), field("min_length", &TfIdfVectorizer::min_length), field("max_length", &TfIdfVectorizer::max_length), field("max_skip", &TfIdfVectorizer::max_skip), field("ngram_counts", &TfIdfVectorizer::ngram_counts), field("ngram_indexes", &TfIdfVectorizer::ngram_indexes), field("pool_ints", &TfIdfVectorizer::pool_ints), field("pool_strings", &TfIdfVectorizer::pool_strings), field("weights", &TfIdfVectorizer::weights)};
  std::vector<TensorType> infer(const InferContext& in) const override;
  void reference(Inputs in, Outputs out) const override;
  std::optional<OnnxForm> to_onnx(const Node&) const override;
  static const std::span<const OnnxName> kOnnx;
  static std::vector<Value*> from_onnx(const OnnxNode& node);
};

}  // namespace onecard
