#include "lib/ops/body_values.h"
#include "lib/ops/control.h"
#include "lib/ops/movement.h"

namespace onecard {

namespace {

// Entry i of a list that may be shorter than what it describes; the rest is 0.
int64_t entry(const std::vector<int64_t>& list, size_t i) { return i < list.size() ? list[i] : 0; }

// Raises model unless body, counts and inputs fit together.
void check_form(const Scan& scan, size_t inputs) {
  require(scan.body != nullptr, ErrorKind::model, "the body is missing");
  const auto most = static_cast<int64_t>(inputs);
  require(scan.states >= 0 && scan.states <= most && scan.scans >= 1 && scan.scans <= most - scan.states, ErrorKind::model, "has ", inputs, " inputs for ", scan.states,
          " states and ", scan.scans, " scanned values");
  require(scan.body->inputs.size() == inputs, ErrorKind::model, "the body takes ", scan.body->inputs.size(), " values, ", inputs, " are given");
  require(scan.body->outputs.size() >= static_cast<size_t>(scan.states), ErrorKind::model, "the body gives ", scan.body->outputs.size(), " values for ", scan.states, " states");
}

// What an iteration sees of a scanned input: index `index` of the axis, without the axis.
Tensor slice_of(const Tensor& x, int64_t axis, int64_t index) {
  const int64_t along = checked_axis(axis, x.rank());
  const AxisView view = axis_view(x.dims(), along);
  Dims dims = x.dims();
  dims.erase(dims.begin() + along);
  Tensor y(TensorType(x.dtype(), Shape::of(dims), x.type().quant));
  const ElementCopier copy(x, y);
  for (int64_t o = 0; o < view.outer; ++o) copy((o * view.extent + index) * view.inner, o * view.inner, view.inner);
  return y;
}

}  // namespace

std::vector<TensorType> Scan::infer(const InferContext& in) const {
  check_form(*this, in.size());
  const auto state_count = static_cast<size_t>(states), first_capture = static_cast<size_t>(states + scans);
  Dim steps = Dim::unknown();
  for (size_t i = 0; i < state_count; ++i) in.type(i);  // raises when it is missing
  for (size_t i = 0; i < static_cast<size_t>(scans); ++i) {
    const TensorType& x = tensor_type(in, state_count + i);
    moved_quant(x);
    if (x.shape.has_rank()) steps = agreed(steps, x.shape[checked_axis(entry(input_axes, i), x.shape.rank())]);
  }
  const auto given = body_output_types(*body, in, first_capture, first_capture);
  std::vector<TensorType> types;
  for (size_t i = 0; i < given.size(); ++i) {
    if (i < state_count) types.push_back(in.has(i) ? merged_type(in.type(i), given[i]) : given[i]);
    else types.push_back(stacked_type(given[i], entry(output_axes, i - state_count), steps));
  }
  return types;
}

std::vector<std::vector<TensorType>> Scan::body_inputs(const InferContext& in) const {
  check_form(*this, in.size());
  std::vector<TensorType> types = given_types(*body, in, 0);
  for (size_t i = 0; i < static_cast<size_t>(scans); ++i) {
    Shape& shape = types[static_cast<size_t>(states) + i].shape;
    if (!shape.has_rank()) continue;
    std::vector<Dim> dims = shape.dims();
    dims.erase(dims.begin() + checked_axis(entry(input_axes, i), shape.rank()));
    shape = Shape(std::move(dims));
  }
  return {settled_inputs(*body, std::move(types), 0, static_cast<size_t>(states), 0)};
}

std::vector<Tensor> Scan::run_bodies(Inputs in, const RunBody& run) const {
  check_form(*this, in.size());
  const auto state_count = static_cast<size_t>(states), scan_count = static_cast<size_t>(scans);
  std::optional<int64_t> steps;
  for (size_t i = 0; i < scan_count; ++i) {
    require(in[state_count + i] != nullptr, ErrorKind::model, "scanned input ", i, " is missing");
    const Tensor& x = *in[state_count + i];
    const int64_t extent = x.dims()[static_cast<size_t>(checked_axis(entry(input_axes, i), x.rank()))];
    require(!steps || *steps == extent, ErrorKind::model, "the scanned inputs have ", steps.value_or(0), " and ", extent, " steps");
    steps = extent;
  }
  std::vector<const Tensor*> values(in.begin(), in.end());
  std::vector<Tensor> state, slices(scan_count);
  std::vector<std::vector<Tensor>> stacks(body->outputs.size() - state_count);
  for (int64_t t = 0; t < *steps; ++t) {
    for (size_t i = 0; i < scan_count; ++i) {
      slices[i] = slice_of(*in[state_count + i], entry(input_axes, i), entry(input_directions, i) == 1 ? *steps - 1 - t : t);
      values[state_count + i] = &slices[i];
    }
    std::vector<Tensor> results = run(*body, values);
    for (size_t i = 0; i < stacks.size(); ++i) stacks[i].push_back(std::move(results.at(state_count + i)));
    results.resize(state_count);
    state = std::move(results);
    for (size_t i = 0; i < state_count; ++i) values[i] = &state[i];
  }
  std::vector<Tensor> out;
  for (size_t i = 0; i < state_count; ++i) out.push_back(state.empty() ? copied(in[i]) : std::move(state[i]));
  for (size_t i = 0; i < stacks.size(); ++i)
    out.push_back(stacked(stacks[i], body->outputs[state_count + i]->type, entry(output_axes, i), entry(output_directions, i) == 1));
  return out;
}

void Scan::reference(Inputs in, Outputs out) const { reference_of_bodies(*this, in, out); }

std::unique_ptr<Op> Scan::with_subgraphs(std::vector<GraphPtr> g) const {
  auto copy = std::make_unique<Scan>(*this);
  copy->body = g.at(0);
  return copy;
}

std::optional<OnnxForm> Scan::to_onnx(const Node&) const {
  OnnxForm form{"Scan", {{"body", body}, {"num_scan_inputs", scans}}, ""};
  if (!input_axes.empty()) form.attributes["scan_input_axes"] = input_axes;
  if (!input_directions.empty()) form.attributes["scan_input_directions"] = input_directions;
  if (!output_axes.empty()) form.attributes["scan_output_axes"] = output_axes;
  if (!output_directions.empty()) form.attributes["scan_output_directions"] = output_directions;
  return form;
}

namespace {
constexpr OnnxName kNames[] = {{"", "Scan", 8}};
}
const std::span<const OnnxName> Scan::kOnnx{kNames};

namespace {

// Scan of opset 8 has a batch axis before all others: a scan over the batch whose body is the scan of one sequence.
std::vector<Value*> batched_scan(const OnnxNode& node) {
  require(!node.input(0), ErrorKind::model, "Scan of opset 8 with sequence_lens is not supported; Scan of opset 9 is");
  const OnnxBody& body = node.body("body");
  Scan inner, outer;
  inner.body = body.graph;
  inner.scans = node.needed_attr<int64_t>("num_scan_inputs");
  inner.input_directions = node.attr<std::vector<int64_t>>("directions", {});
  outer.scans = static_cast<int64_t>(node.inputs.size()) - 1;
  require(inner.scans >= 1 && inner.scans <= outer.scans, ErrorKind::model, "num_scan_inputs is ", inner.scans, " with ", outer.scans, " inputs");
  inner.states = outer.scans - inner.scans;
  Graph sequence;
  std::vector<Value*> in;
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    in.push_back(node.needed(i));
    TensorType one = in.back()->type;
    require(!one.shape.has_rank() || one.shape.rank() >= 1, ErrorKind::model, "input ", i, " has no batch axis");
    if (one.shape.has_rank()) one.shape = Shape(std::vector<Dim>(one.shape.dims().begin() + 1, one.shape.dims().end()));
    sequence.add_input("one." + std::to_string(i), one);
  }
  for (Value* capture : body.captures) {
    in.push_back(capture);
    sequence.add_input("capture." + capture->name, capture->type);
  }
  sequence.outputs = sequence.add(std::make_shared<const Scan>(std::move(inner)), sequence.inputs, "scan").outputs;
  outer.body = std::make_shared<const Graph>(std::move(sequence));
  return node.add_all(outer, in);
}

}  // namespace

std::vector<Value*> Scan::from_onnx(const OnnxNode& node) {
  if (node.opset < 9) return batched_scan(node);
  const OnnxBody& body = node.body("body");
  Scan op;
  op.body = body.graph;
  op.scans = node.needed_attr<int64_t>("num_scan_inputs");
  const auto inputs = static_cast<int64_t>(node.inputs.size());
  require(op.scans >= 1 && op.scans <= inputs, ErrorKind::model, "num_scan_inputs is ", op.scans, " with ", inputs, " inputs");
  op.states = inputs - op.scans;
  for (size_t i = 0; i < node.inputs.size(); ++i) node.needed(i);
  const auto outputs = static_cast<int64_t>(body.graph->outputs.size()) - op.states;
  const auto list = [&](std::string_view key, int64_t most) {
    auto entries = node.attr<std::vector<int64_t>>(key, {});
    require(static_cast<int64_t>(entries.size()) <= std::max<int64_t>(most, 0), ErrorKind::model, "attribute '", key, "' has ", entries.size(), " entries");
    return entries;
  };
  op.input_axes = list("scan_input_axes", op.scans);
  op.input_directions = list("scan_input_directions", op.scans);
  op.output_axes = list("scan_output_axes", outputs);
  op.output_directions = list("scan_output_directions", outputs);
  std::vector<Value*> in = node.inputs;
  in.insert(in.end(), body.captures.begin(), body.captures.end());
  return node.add_all(op, in);
}

DEFINE_OP(Scan)

}  // namespace onecard
