#include "lib/ops/regex_full_match.h"

#include "lib/ops/movement.h"
#include "lib/ops/regular_expression.h"

namespace onecard {

std::vector<TensorType> RegexFullMatch::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  require(x.dtype == DType::string, ErrorKind::model, "matches ", info(x.dtype).name);
  const RegularExpression checked(pattern);
  return {TensorType(DType::boolean, x.shape)};
}

void RegexFullMatch::reference(Inputs in, Outputs out) const {
  const RegularExpression expression(pattern);
  Tensor& y = allocated(out[0], DType::boolean, in[0]->dims());
  const auto& texts = in[0]->text();
  for (size_t i = 0; i < texts.size(); ++i) y.data<bool>()[i] = expression.matches(texts[i]);
}

std::optional<OnnxForm> RegexFullMatch::to_onnx(const Node&) const { return OnnxForm{"RegexFullMatch", {{"pattern", pattern}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "RegexFullMatch", 20}};
}
const std::span<const OnnxName> RegexFullMatch::kOnnx{kNames};

std::vector<Value*> RegexFullMatch::from_onnx(const OnnxNode& node) {
  RegexFullMatch op;
  op.pattern = node.needed_attr<std::string>("pattern");
  return {node.add_op(op, {node.needed(0)})};
}

DEFINE_OP(RegexFullMatch)

}  // namespace onecard
