#include "tests/cuda/kernel_case.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <sstream>

#include "lib/ops/registry.h"

namespace onecard {
namespace {

Tensor random_tensor(const TensorType& type, std::mt19937& rng) {
  Tensor t(type);
  std::normal_distribution<float> normal;
  for (int64_t i = 0; i < t.elements(); ++i) {
    if (is_float(t.dtype())) t.set(i, normal(rng));
    else if (t.dtype() == DType::boolean) t.set_int(i, static_cast<int64_t>(rng() % 2));
    else t.set_int(i, static_cast<int64_t>(rng() % 21) - (info(t.dtype()).kind == DKind::sint ? 10 : 0));
  }
  return t;
}

std::string compare(const Tensor& want, const Tensor& got) {
  for (int64_t i = 0; i < want.elements(); ++i) {
    if (is_integer(want.dtype()) && want.int_at(i) == got.int_at(i)) continue;
    const double w = want.at(i), g = got.at(i);
    if (w == g || (std::isnan(w) && std::isnan(g))) continue;
    if (want.dtype() == DType::f32 && std::abs(w - g) <= 1e-4 + 1e-4 * std::abs(w)) continue;
    std::ostringstream out;
    out << "element " << i << " of " << want.type().text() << " is " << g << ", expected " << w;
    return out.str();
  }
  return {};
}

struct Run {
  Device& device;
  const Step& step;
  std::vector<const Tensor*> inputs;
  const std::vector<Tensor>& expected;

  std::string once(const std::pair<size_t, size_t>* in_place) const {
    std::vector<std::shared_ptr<DeviceBuffer>> in, out;
    std::vector<const void*> in_pointers;
    std::vector<void*> out_pointers;
    for (const Tensor* t : inputs) {
      in.push_back(t ? device.allocate(std::max<int64_t>(t->bytes(), 1)) : nullptr);
      if (t) device.upload(in.back()->data(), t->raw(), t->bytes());
      in_pointers.push_back(t ? in.back()->data() : nullptr);
    }
    for (size_t i = 0; i < expected.size(); ++i) {
      const bool shares = (in_place && in_place->first == i) || (step.view_of >= 0 && i == 0);
      const size_t from = step.view_of >= 0 ? static_cast<size_t>(step.view_of) : in_place ? in_place->second : 0;
      out.push_back(shares ? in[from] : device.allocate(std::max<int64_t>(expected[i].bytes(), 1)));
      out_pointers.push_back(out.back()->data());
      if (shares) continue;
      const std::vector<unsigned char> nans(static_cast<size_t>(expected[i].bytes()), 0xff);  // what a kernel forgets to write shows
      device.upload(out.back()->data(), nans.data(), expected[i].bytes());
    }
    const auto workspace = device.allocate(std::max<int64_t>(step.workspace_bytes, 1));
    if (step.view_of < 0) step.launch({in_pointers, out_pointers, workspace->data(), device.queue()});
    device.synchronize();
    for (size_t i = 0; i < expected.size(); ++i) {
      Tensor got(expected[i].type());
      device.download(got.raw(), out[i]->data(), got.bytes());
      if (auto text = compare(expected[i], got); !text.empty()) return text + (in_place ? " (in place of input " + std::to_string(in_place->second) + ")" : "");
    }
    return {};
  }
};

}  // namespace

CaseResult run_kernel_case(Device& device, const std::string& graph_text, uint32_t seed) {
  ErrorScope scope(graph_text);
  const Graph graph = parse_graph(graph_text);
  const Node& node = graph.nodes().front();
  std::mt19937 rng(seed);
  std::vector<Tensor> inputs;
  std::vector<TensorType> in_types, out_types;
  std::vector<ConstTensor> constants;
  for (const Value* v : node.inputs) {
    in_types.push_back(v ? v->type : TensorType());
    if (!v) in_types.back().container = Container::none;
    inputs.push_back(!v ? Tensor() : v->constant ? v->constant->clone() : random_tensor(v->type, rng));
    constants.push_back(v ? v->constant : nullptr);
  }
  for (const Value* v : node.outputs) out_types.push_back(v->type);
  const std::vector<Layout> layouts(node.inputs.size());
  const KernelQuery q{*node.op, in_types, out_types, constants, layouts};
  CaseResult result;
  std::unique_ptr<Step> step;
  for (const auto& kernel : device.kernels()) {
    const Support support = kernel->supports(q);
    if (!support && support.why_not != "other op") result.why_not += std::string(kernel->name()) + ": " + support.why_not + "; ";
    if (!support) continue;
    result.kernel = kernel->name();
    step = kernel->prepare(q);
    break;
  }
  if (!step) return result;
  std::vector<const Tensor*> pointers;
  for (size_t i = 0; i < inputs.size(); ++i) pointers.push_back(in_types[i].container == Container::none ? nullptr : &inputs[i]);
  std::vector<Tensor> expected;
  for (const TensorType& t : out_types) expected.emplace_back(t);
  node.op->reference(pointers, expected);
  const Run run{device, *step, pointers, expected};
  result.mismatch = run.once(nullptr);
  for (const auto& pair : step->in_place)
    if (result.mismatch.empty()) result.mismatch = run.once(&pair);
  return result;
}

}  // namespace onecard
