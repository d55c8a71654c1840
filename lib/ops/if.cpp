#include "lib/ops/body_values.h"
#include "lib/ops/control.h"

namespace onecard {

std::vector<TensorType> If::infer(const InferContext& in) const {
  const TensorType& condition = in.type(0);
  require(condition.container == Container::tensor && condition.dtype == DType::boolean, ErrorKind::model, "the condition is ", condition,
          ", not a boolean");
  require(then_branch && else_branch, ErrorKind::model, "a branch is missing");
  for (const GraphPtr& branch : {then_branch, else_branch})
    require(branch->inputs.size() + 1 == in.size(), ErrorKind::model, "a branch takes ", branch->inputs.size(), " values, ", in.size() - 1,
            " are captured");
  auto types = body_output_types(*then_branch, in, 0, 1);
  const auto others = body_output_types(*else_branch, in, 0, 1);
  require(types.size() == others.size(), ErrorKind::model, "the branches give ", types.size(), " and ", others.size(), " values");
  for (size_t i = 0; i < types.size(); ++i) types[i] = merged_type(types[i], others[i]);
  return types;
}

std::vector<std::vector<TensorType>> If::body_inputs(const InferContext& in) const {
  const std::vector<TensorType> types = given_types(*then_branch, in, 1);
  return {types, types};
}

std::vector<Tensor> If::run_bodies(Inputs in, const RunBody& run) const {
  require(in[0] != nullptr, ErrorKind::model, "the condition is missing");
  return run(condition_of(*in[0]) ? *then_branch : *else_branch, {in.begin() + 1, in.end()});
}

void If::reference(Inputs in, Outputs out) const { reference_of_bodies(*this, in, out); }

std::unique_ptr<Op> If::with_subgraphs(std::vector<GraphPtr> g) const {
  auto copy = std::make_unique<If>(*this);
  copy->then_branch = g.at(0);
  copy->else_branch = g.at(1);
  return copy;
}

std::optional<OnnxForm> If::to_onnx(const Node&) const { return OnnxForm{"If", {{"then_branch", then_branch}, {"else_branch", else_branch}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "If", 1}};
}
const std::span<const OnnxName> If::kOnnx{kNames};

std::vector<Value*> If::from_onnx(const OnnxNode& node) {
  const OnnxBody &then_body = node.body("then_branch"), &else_body = node.body("else_branch");
  If op;
  op.then_branch = then_body.graph;
  op.else_branch = else_body.graph;
  const size_t captures = then_body.captures.size();
  require(then_body.graph->inputs.size() == captures && else_body.graph->inputs.size() == captures, ErrorKind::model,
          "a branch has inputs of its own");
  std::vector<Value*> in{node.needed(0)};
  in.insert(in.end(), then_body.captures.begin(), then_body.captures.end());
  return node.add_all(op, in);
}

DEFINE_OP(If)

}  // namespace onecard
