#include "lib/ops/body_values.h"
#include "lib/ops/control.h"

namespace onecard {

namespace {

// Inputs of the body, and of the node, before the carried values: iteration number or trip count, and condition.
constexpr size_t kFirstCarried = 2;

size_t first_capture(const Loop& loop) { return kFirstCarried + static_cast<size_t>(loop.carried); }

// Raises model unless body, carried values and inputs fit together.
void check_form(const Loop& loop, size_t inputs) {
  require(loop.body != nullptr, ErrorKind::model, "the body is missing");
  require(loop.carried >= 0 && loop.carried <= static_cast<int64_t>(inputs), ErrorKind::model, "carries ", loop.carried, " of ", inputs, " inputs");
  require(loop.body->inputs.size() == inputs && inputs >= first_capture(loop), ErrorKind::model, "the body takes ", loop.body->inputs.size(),
          " values, ", inputs, " are given");
  require(loop.body->outputs.size() + 1 >= first_capture(loop), ErrorKind::model, "the body gives ", loop.body->outputs.size(),
          " values and carries ", loop.carried);
}

}  // namespace

std::vector<TensorType> Loop::infer(const InferContext& in) const {
  check_form(*this, in.size());
  const auto given = body_output_types(*body, in, first_capture(*this), first_capture(*this));
  require(given[0].container == Container::tensor && given[0].dtype == DType::boolean, ErrorKind::model, "the body's condition is ", given[0]);
  std::vector<TensorType> types;
  for (size_t i = 1; i < given.size(); ++i) {
    if (i > static_cast<size_t>(carried)) types.push_back(stacked_type(given[i], 0, Dim::unknown()));
    else if (in.has(i + 1)) types.push_back(merged_type(in.type(i + 1), given[i]));
    else types.push_back(given[i]);
  }
  return types;
}

std::vector<std::vector<TensorType>> Loop::body_inputs(const InferContext& in) const {
  check_form(*this, in.size());
  std::vector<TensorType> types = given_types(*body, in, 0);
  for (size_t i = 0; i < kFirstCarried; ++i) {  // made by the loop, of the rank that the body declares
    const TensorType& declared = body->inputs[i]->type;
    types[i] = TensorType(declared.dtype, declared.shape.has_rank() && declared.shape.rank() == 1 ? Shape{1} : Shape{});
  }
  return {settled_inputs(*body, std::move(types), kFirstCarried, static_cast<size_t>(carried), 1)};
}

std::vector<Tensor> Loop::run_bodies(Inputs in, const RunBody& run) const {
  check_form(*this, in.size());
  const auto given = [&](size_t i) { return in[i] && in[i]->has_value() && in[i]->elements() > 0; };
  require(!given(0) || in[0]->elements() == 1, ErrorKind::model, "the trip count is ", in[0] ? in[0]->type().text() : "", ", not one integer");
  const int64_t trips = given(0) ? in[0]->int_at(0) : INT64_MAX;
  bool go_on = given(1) ? condition_of(*in[1]) : true;
  const Tensor absent;
  std::vector<const Tensor*> values(in.begin(), in.end());
  for (auto& v : values)
    if (!v) v = &absent;
  std::vector<Tensor> carried_now;  // of the last iteration; empty before the first
  std::vector<std::vector<Tensor>> scans(body->outputs.size() - static_cast<size_t>(carried) - 1);
  for (int64_t i = 0; i < trips && go_on; ++i) {
    const Tensor number = body_scalar<int64_t>(body->inputs[0]->type, i), condition = body_scalar<bool>(body->inputs[1]->type, go_on);
    values[0] = &number;
    values[1] = &condition;
    std::vector<Tensor> results = run(*body, values);
    go_on = condition_of(results.at(0));
    for (size_t s = 0; s < scans.size(); ++s) scans[s].push_back(std::move(results[1 + static_cast<size_t>(carried) + s]));
    results.erase(results.begin());
    results.resize(static_cast<size_t>(carried));
    carried_now = std::move(results);
    for (size_t c = 0; c < carried_now.size(); ++c) values[kFirstCarried + c] = &carried_now[c];
  }
  std::vector<Tensor> out;
  for (size_t c = 0; c < static_cast<size_t>(carried); ++c)
    out.push_back(carried_now.empty() ? copied(in[kFirstCarried + c]) : std::move(carried_now[c]));
  for (size_t s = 0; s < scans.size(); ++s) out.push_back(stacked(scans[s], body->outputs[1 + static_cast<size_t>(carried) + s]->type, 0, false));
  return out;
}

void Loop::reference(Inputs in, Outputs out) const { reference_of_bodies(*this, in, out); }

std::unique_ptr<Op> Loop::with_subgraphs(std::vector<GraphPtr> g) const {
  auto copy = std::make_unique<Loop>(*this);
  copy->body = g.at(0);
  return copy;
}

std::optional<OnnxForm> Loop::to_onnx(const Node&) const { return OnnxForm{"Loop", {{"body", body}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "Loop", 1}};
}
const std::span<const OnnxName> Loop::kOnnx{kNames};

std::vector<Value*> Loop::from_onnx(const OnnxNode& node) {
  const OnnxBody& body = node.body("body");
  std::vector<Value*> in = node.inputs;
  in.resize(std::max(in.size(), kFirstCarried), nullptr);
  Loop op;
  op.body = body.graph;
  op.carried = static_cast<int64_t>(in.size() - kFirstCarried);
  in.insert(in.end(), body.captures.begin(), body.captures.end());
  return node.add_all(op, in);
}

DEFINE_OP(Loop)

}  // namespace onecard
