#include "lib/ops/string_split.h"

#include <algorithm>

#include "lib/ops/movement.h"

namespace onecard {

namespace {

constexpr std::string_view kSpaces = " \t\n\v\f\r";

std::vector<std::string> at_spaces(const std::string& text, int64_t most) {
  std::vector<std::string> parts;
  size_t at = text.find_first_not_of(kSpaces);
  while (at != std::string::npos) {
    if (most >= 0 && static_cast<int64_t>(parts.size()) == most) {
      const size_t last = text.find_last_not_of(kSpaces);
      parts.push_back(text.substr(at, last + 1 - at));
      break;
    }
    const size_t end = text.find_first_of(kSpaces, at);
    parts.push_back(text.substr(at, end - at));
    at = end == std::string::npos ? end : text.find_first_not_of(kSpaces, end);
  }
  return parts;
}

std::vector<std::string> at_delimiter(const std::string& text, const std::string& delimiter, int64_t most) {
  std::vector<std::string> parts;
  if (text.empty()) return parts;
  size_t at = 0;
  while (most < 0 || static_cast<int64_t>(parts.size()) < most) {
    const size_t end = text.find(delimiter, at);
    if (end == std::string::npos) break;
    parts.push_back(text.substr(at, end - at));
    at = end + delimiter.size();
  }
  parts.push_back(text.substr(at));
  return parts;
}

}  // namespace

std::vector<TensorType> StringSplit::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  require(x.dtype == DType::string, ErrorKind::model, "splits ", info(x.dtype).name);
  Shape parts = x.shape;
  if (parts.has_rank()) {
    std::vector<Dim> dims = x.shape.dims();
    dims.push_back(Dim::unknown());
    parts = Shape(std::move(dims));
  }
  return {TensorType(DType::string, parts), TensorType(DType::i64, x.shape)};
}

void StringSplit::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  Tensor& counts = allocated(out[1], DType::i64, x.dims());
  std::vector<std::vector<std::string>> parts;
  size_t longest = 0;
  for (size_t i = 0; i < x.text().size(); ++i) {
    parts.push_back(delimiter.empty() ? at_spaces(x.text()[i], most) : at_delimiter(x.text()[i], delimiter, most));
    longest = std::max(longest, parts.back().size());
    counts.data<int64_t>()[i] = static_cast<int64_t>(parts.back().size());
  }
  Dims dims = x.dims();
  dims.push_back(static_cast<int64_t>(longest));
  Tensor& y = allocated(out[0], DType::string, dims);
  for (size_t i = 0; i < parts.size(); ++i)
    for (size_t k = 0; k < longest; ++k) y.text()[i * longest + k] = k < parts[i].size() ? std::move(parts[i][k]) : std::string();
}

std::optional<OnnxForm> StringSplit::to_onnx(const Node&) const {
  OnnxForm form{"StringSplit", {}, ""};
  if (!delimiter.empty()) form.attributes["delimiter"] = delimiter;
  if (most >= 0) form.attributes["maxsplit"] = most;
  return form;
}

namespace {
constexpr OnnxName kNames[] = {{"", "StringSplit", 20}};
}
const std::span<const OnnxName> StringSplit::kOnnx{kNames};

std::vector<Value*> StringSplit::from_onnx(const OnnxNode& node) {
  StringSplit op;
  op.delimiter = node.attr<std::string>("delimiter", "");
  op.most = std::max<int64_t>(node.attr<int64_t>("maxsplit", -1), -1);
  return node.add_all(op, {node.needed(0)});
}

DEFINE_OP(StringSplit)

}  // namespace onecard
