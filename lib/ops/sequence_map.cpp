#include "lib/ops/sequence_map.h"

#include "lib/ops/body_values.h"

namespace onecard {

namespace {

void check_form(const SequenceMap& map, size_t inputs) {
  require(map.body != nullptr, ErrorKind::model, "the body is missing");
  require(map.others >= 0 && inputs >= 1 && map.others <= static_cast<int64_t>(inputs) - 1, ErrorKind::model, "maps ", map.others, " of ", inputs,
          " inputs");
  require(map.body->inputs.size() == inputs, ErrorKind::model, "the body takes ", map.body->inputs.size(), " values, ", inputs, " are given");
}

}  // namespace

std::vector<TensorType> SequenceMap::infer(const InferContext& in) const {
  check_form(*this, in.size());
  require(in.type(0).container == Container::sequence, ErrorKind::model, "expects a sequence, got ", in.type(0));
  const auto first_capture = static_cast<size_t>(others) + 1;
  auto types = body_output_types(*body, in, first_capture, first_capture);
  for (auto& t : types) {
    require(t.container == Container::tensor, ErrorKind::model, "the body gives ", t);
    t.container = Container::sequence;
  }
  return types;
}

std::vector<std::vector<TensorType>> SequenceMap::body_inputs(const InferContext& in) const {
  check_form(*this, in.size());
  std::vector<TensorType> types = given_types(*body, in, 0);
  for (size_t i = 0; i <= static_cast<size_t>(others); ++i)
    if (types[i].container == Container::sequence) types[i].container = Container::tensor;
  return {types};
}

std::vector<Tensor> SequenceMap::run_bodies(Inputs in, const RunBody& run) const {
  check_form(*this, in.size());
  const size_t count = in[0]->items().size();
  std::vector<std::vector<Tensor>> results(body->outputs.size());
  for (size_t i = 0; i < count; ++i) {
    std::vector<const Tensor*> values(in.begin(), in.end());
    for (size_t k = 0; k <= static_cast<size_t>(others); ++k) {
      if (!in[k] || in[k]->type().container != Container::sequence) continue;
      require(in[k]->items().size() == count, ErrorKind::model, "sequences of ", count, " and ", in[k]->items().size(), " tensors");
      values[k] = &in[k]->items()[i];
    }
    auto given = run(*body, values);
    for (size_t r = 0; r < results.size(); ++r) results[r].push_back(std::move(given.at(r)));
  }
  std::vector<Tensor> out;
  for (size_t r = 0; r < results.size(); ++r) out.push_back(Tensor::sequence(body->outputs[r]->type, std::move(results[r])));
  return out;
}

void SequenceMap::reference(Inputs in, Outputs out) const { reference_of_bodies(*this, in, out); }

std::unique_ptr<Op> SequenceMap::with_subgraphs(std::vector<GraphPtr> g) const {
  auto copy = std::make_unique<SequenceMap>(*this);
  copy->body = g.at(0);
  return copy;
}

std::optional<OnnxForm> SequenceMap::to_onnx(const Node&) const { return OnnxForm{"SequenceMap", {{"body", body}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "SequenceMap", 17}};
}
const std::span<const OnnxName> SequenceMap::kOnnx{kNames};

std::vector<Value*> SequenceMap::from_onnx(const OnnxNode& node) {
  const OnnxBody& body = node.body("body");
  SequenceMap op;
  op.body = body.graph;
  node.needed(0);
  op.others = static_cast<int64_t>(node.inputs.size()) - 1;
  std::vector<Value*> in = node.inputs;
  in.insert(in.end(), body.captures.begin(), body.captures.end());
  return node.add_all(op, in);
}

DEFINE_OP(SequenceMap)

}  // namespace onecard
