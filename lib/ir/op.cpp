#include "lib/ir/op.h"

#include "lib/ir/graph.h"
#include "lib/ir/text.h"

namespace onecard {

const TensorType& InferContext::type(size_t i) const {
  require(has(i), ErrorKind::model, "input ", i, " is missing");
  return inputs_[i].type;
}

ConstTensor InferContext::constant(size_t i) const { return has(i) ? materialize(inputs_[i].constant) : nullptr; }

std::optional<std::vector<Dim>> InferContext::contents(size_t i) const {
  constexpr int64_t kMostElements = 4096;             // shapes are short; longer integer tensors are data
  if (!has(i)) return std::nullopt;
  const auto& in = inputs_[i];
  if (in.constant && is_integer(in.type.dtype) && in.constant->elements() <= kMostElements) {
    const auto numbers = to_ints(*materialize(in.constant));
    return std::vector<Dim>(numbers.begin(), numbers.end());
  }
  return in.contents;
}

std::optional<std::vector<int64_t>> InferContext::ints(size_t i) const {
  const auto dims = contents(i);
  if (!dims) return std::nullopt;
  std::vector<int64_t> out;
  for (const auto& d : *dims) {
    if (!d.is_number()) return std::nullopt;
    out.push_back(d.number());
  }
  return out;
}

std::vector<Value*> Op::decompose(Graph&, Node&) const { return {}; }
std::vector<Tensor> Op::run_bodies(Inputs, const RunBody&) const { fail(ErrorKind::internal, name(), " holds no graphs to run"); }
std::unique_ptr<Op> Op::with_subgraphs(std::vector<GraphPtr>) const { return clone(); }

bool same_value(float a, float b) { return a == b || (a != a && b != b); }
bool same_value(const GraphPtr& a, const GraphPtr& b) { return a == b || (a && b && same_structure(*a, *b)); }
bool same_value(const QuantizationPtr& a, const QuantizationPtr& b) { return a == b || (a && b && *a == *b); }

}  // namespace onecard
