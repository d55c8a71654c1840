// integer_sums BUNDLE …: whether the CPU's kernels and the reference agree bit for bit in the sums of every layer of integers, given the integers
// that reach it when the bundle's self-check runs on the CPU (a sample, or random numbers where that was large). Every conv, conv_transpose and
// matmul by a constant of 8 bits is taken alone with all scales set to 1 and nothing behind its sums, and run on both. Layers that nothing reaches,
// in branches not taken, are counted apart. Prints a line per bundle; exit 1 when a sum differs.
#include <cstdio>
#include <cstring>
#include <map>

#include "lib/bundle/bundle.h"
#include "lib/cpu/device.h"
#include "lib/device/reference_kernel.h"
#include "lib/ir/every_node.h"
#include "lib/ops/conv_transpose.h"
#include "lib/ops/matmul.h"
#include "lib/runtime/executor.h"

namespace onecard {
namespace {

QuantizationPtr of_ones(const QuantizationPtr& q) {
  if (!q) return nullptr;
  auto ones = std::make_shared<Quantization>(*q);
  ones->scale.assign(q->scale.size(), 1.0f);
  return ones;
}

Tensor with_ones(const Tensor& t) { return t.alias(TensorType(t.dtype(), t.type().shape, of_ones(t.type().quant))); }

bool is_integer_layer(const Node& node) {
  const Value *x = node.input(0), *w = node.input(1);
  if (!x || !w || !w->constant || !w->type.quant || info(w->type.dtype).bits != 8 || w->type.quant->block != 0) return false;
  const auto* conv = node.as<Conv>();
  const auto* matmul = node.as<MatMul>();
  const bool dynamic = (conv && conv->dynamic != Dynamic::no) || (matmul && matmul->dynamic != Dynamic::no);
  return (conv || matmul || node.as<ConvTranspose>()) && (x->type.quant || dynamic);
}

// The op without what follows its sums.
std::shared_ptr<const Op> sums_of(const Node& node) {
  const auto bare = [](auto op) {
    op.activation = {};
    if constexpr (requires { op.output; }) op.output = nullptr;
    return std::make_shared<const decltype(op)>(op);
  };
  if (const auto* conv = node.as<Conv>()) return bare(*conv);
  if (const auto* deconv = node.as<ConvTranspose>()) return bare(*deconv);
  return bare(*node.as<MatMul>());
}

struct Sums {
  Tensor values;
  std::string kernel;
};
Sums run(const GraphPtr& graph, Device& device, const Tensor& x) {
  Executor executor(graph, device);
  Sums s{std::move(executor.run({&x})[0]), {}};
  for (const PlanStep& step : executor.prepare({x.type()}).steps)
    if (step.node) s.kernel = step.kernel;
  return s;
}

struct Count {
  int64_t layers = 0, sums = 0, different = 0, unreached = 0;
  std::map<std::string, int64_t> kernels;
};

void check(const Node& node, const Tensor& x, Device& cpu, Device& reference, Count& count) {
  const Tensor in = with_ones(x);
  Graph graph;
  Value* input = graph.add_input("x", in.type());
  Value* w = graph.add_constant("w", with_ones(*materialize(node.inputs[1]->constant)));
  graph.outputs.push_back(graph.add(sums_of(node), {input, w}, "y").output());
  const auto shared = std::make_shared<const Graph>(std::move(graph));
  const Sums ours = run(shared, cpu, in), wanted = run(shared, reference, in);
  ++count.layers;
  ++count.kernels[ours.kernel];
  count.sums += wanted.values.elements();
  if (std::memcmp(ours.values.raw(), wanted.values.raw(), static_cast<size_t>(wanted.values.bytes())) == 0) return;
  ++count.different;
  std::printf("  %s: sums differ, kernel %s\n", node.output()->name.c_str(), ours.kernel.c_str());
}

// The layers of a bundle, each with the first tensor that reached it.
Count check_bundle(const Path& path, Device& cpu, Device& reference) {
  const auto bundle = Bundle::open(path, CheckWeights::now);
  require(bundle->self_check().has_value(), ErrorKind::io, path.string(), ": no self-check, so no sample");
  const auto graph = std::make_shared<const Graph>(bundle->graph());
  std::map<std::string, std::vector<const Node*>> readers;
  every_node(*graph, [&](const Graph&, const Node& node) {
    if (is_integer_layer(node)) readers[node.inputs[0]->name].push_back(&node);
  });
  Count count;
  Executor executor(graph, cpu);
  executor.set_tap(
      [&](const Value& v, const Tensor& t) {
        const auto it = readers.find(v.name);
        if (it == readers.end() || t.elements() == 0) return;
        const std::vector<const Node*> nodes = std::move(it->second);
        readers.erase(it);
        for (const Node* node : nodes) check(*node, t, cpu, reference, count);
      },
      [&](const Value& v) { return readers.contains(v.name); });
  std::vector<Tensor> inputs;
  for (const Tensor& t : bundle->self_check()->inputs) inputs.push_back(t.is_deferred() ? t.clone() : t.alias(t.type()));
  std::vector<const Tensor*> in;
  for (const Tensor& t : inputs) in.push_back(&t);
  for (size_t i = 0; i < in.size(); ++i)
    if (const auto it = readers.find(graph->inputs[i]->name); it != readers.end()) {
      for (const Node* node : it->second) check(*node, *in[i], cpu, reference, count);
      readers.erase(it);
    }
  executor.run(in);
  for (const auto& [name, nodes] : readers) count.unreached += static_cast<int64_t>(nodes.size());
  return count;
}

}  // namespace
}  // namespace onecard

int main(int count, char** words) {
  using namespace onecard;
  const auto cpu = make_cpu_device(0);
  const auto reference = make_reference_device();
  int64_t different = 0;
  for (int i = 1; i < count; ++i) {
    try {
      const Count c = check_bundle(words[i], *cpu, *reference);
      std::printf("%s: %lld layers of integers, %lld sums, %lld layers differ, %lld not reached;", words[i], static_cast<long long>(c.layers),
                  static_cast<long long>(c.sums), static_cast<long long>(c.different), static_cast<long long>(c.unreached));
      for (const auto& [kernel, times] : c.kernels) std::printf(" %s %lld", kernel.c_str(), static_cast<long long>(times));
      std::printf("\n");
      different += c.different;
    } catch (const Error& e) {
      std::printf("%s: %s\n", words[i], e.what());
      ++different;
    }
  }
  return different == 0 ? 0 : 1;
}
