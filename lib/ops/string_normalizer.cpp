#include "lib/ops/string_normalizer.h"

#include <algorithm>
#include <set>

#include "lib/ops/movement.h"
#include "lib/ops/onnx_enum.h"
#include "lib/ops/regular_expression.h"

namespace onecard {

namespace {

// The other case of a letter, for Latin, Greek and Cyrillic letters that have exactly one; other code points as they are.
uint32_t lower_code(uint32_t c) {
  if ((c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) || (c >= 0x391 && c <= 0x3a9 && c != 0x3a2) || (c >= 0x410 && c <= 0x42f))
    return c + 32;
  if (c >= 0x400 && c <= 0x40f) return c + 80;
  const bool even_upper = (c >= 0x100 && c <= 0x12f) || (c >= 0x132 && c <= 0x137) || (c >= 0x14a && c <= 0x177);
  const bool odd_upper = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e);
  return (even_upper && c % 2 == 0) || (odd_upper && c % 2 == 1) ? c + 1 : c;
}
uint32_t upper_code(uint32_t c) {
  for (const uint32_t distance : {1u, 32u, 80u})
    if (c >= distance && lower_code(c - distance) == c && c - distance != c) return c - distance;
  return c;
}

void append_utf8(std::string& out, uint32_t c) {
  if (c > 0x10ffff) out += static_cast<char>(c & 0xff);  // a byte that was no character
  else if (c < 0x80) out += static_cast<char>(c);
  else if (c < 0x800) out += {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 0x3f))};
  else if (c < 0x10000) out += {static_cast<char>(0xe0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 0x3f)), static_cast<char>(0x80 | (c & 0x3f))};
  else
    out += {static_cast<char>(0xf0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 0x3f)), static_cast<char>(0x80 | (c >> 6 & 0x3f)),
            static_cast<char>(0x80 | (c & 0x3f))};
}

std::string in_case(const std::string& text, LetterCase wanted) {
  if (wanted == LetterCase::none) return text;
  std::string out;
  for (const uint32_t c : code_points(text)) append_utf8(out, wanted == LetterCase::lower ? lower_code(c) : upper_code(c));
  return out;
}

}  // namespace

std::vector<TensorType> StringNormalizer::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  require(x.dtype == DType::string, ErrorKind::model, "normalizes ", info(x.dtype).name);
  if (!x.shape.has_rank()) return {TensorType(DType::string, Shape::unranked())};
  const int64_t rank = x.shape.rank();
  require(rank == 1 || (rank == 2 && agreed(x.shape[0], 1) == Dim(1)), ErrorKind::model, "takes [c] or [1,c], not ", x.shape);
  return {TensorType(DType::string, rank == 1 ? Shape::unknown(1) : Shape{1, Dim::unknown()})};
}

void StringNormalizer::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  require(x.rank() == 1 || (x.rank() == 2 && x.dims()[0] == 1), ErrorKind::model, "takes [c] or [1,c], not ", x.type());
  const LetterCase compared = match == StopwordMatch::any_case ? LetterCase::lower : LetterCase::none;
  std::set<std::string> stopped;
  for (const auto& word : stopwords) stopped.insert(in_case(word, compared));
  std::vector<std::string> kept;
  for (const auto& text : x.text())
    if (!stopped.contains(in_case(text, compared))) kept.push_back(in_case(text, change));
  if (kept.empty()) kept.emplace_back();
  Dims dims = x.dims();
  dims.back() = static_cast<int64_t>(kept.size());
  deliver(out[0], Tensor::strings(dims, std::move(kept)));
}

std::optional<OnnxForm> StringNormalizer::to_onnx(const Node&) const {
  static constexpr std::string_view kCases[] = {"NONE", "LOWER", "UPPER"};
  OnnxForm form{
      "StringNormalizer",
      {{"case_change_action", std::string(kCases[static_cast<size_t>(change)])}, {"is_case_sensitive", int64_t{match == StopwordMatch::same_case}}},
      ""};
  if (!stopwords.empty()) form.attributes["stopwords"] = stopwords;
  return form;
}

namespace {
constexpr OnnxName kNames[] = {{"", "StringNormalizer", 10}};
}
const std::span<const OnnxName> StringNormalizer::kOnnx{kNames};

std::vector<Value*> StringNormalizer::from_onnx(const OnnxNode& node) {
  StringNormalizer op;
  op.change = onnx_enum<LetterCase>(node, "case_change_action", "NONE",
                                    {{"NONE", LetterCase::none}, {"LOWER", LetterCase::lower}, {"UPPER", LetterCase::upper}});
  op.match = node.attr<int64_t>("is_case_sensitive", 0) != 0 ? StopwordMatch::same_case : StopwordMatch::any_case;
  op.stopwords = node.attr<std::vector<std::string>>("stopwords", {});
  return {node.add_op(op, {node.needed(0)})};
}

DEFINE_OP(StringNormalizer)

}  // namespace onecard
