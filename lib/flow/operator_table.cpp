#include "lib/flow/operator_table.h"

#include <algorithm>
#include <optional>

#include "lib/bundle/self_check.h"
#include "lib/runtime/executor.h"

namespace onecard {

namespace {

enum class Outcome { refused, by_definition, by_kernels };

// Runs the network once. What it raises is the answer no, whatever the kind.
Outcome try_out(const OperatorForm& form, DType dtype, int variant, Device& device) {
  try {
    const auto graph = std::make_shared<const Graph>(sample_network(form, dtype, variant));
    std::vector<Tensor> inputs;
    std::vector<const Tensor*> pointers;
    std::vector<TensorType> types;
    for (const Value* v : graph->inputs) {
      types.push_back(v->type);
      inputs.push_back(v->type.dtype == DType::string ? Tensor(v->type) : random_tensor(v->type, inputs.size() + 1));
    }
    for (const Tensor& t : inputs) pointers.push_back(&t);
    Executor executor(graph, device);
    const Plan& plan = executor.prepare(types);
    const bool kernels = std::ranges::all_of(plan.steps, [](const PlanStep& s) { return !s.dynamic && !s.kernel.starts_with("reference"); });
    executor.run(pointers);
    return kernels ? Outcome::by_kernels : Outcome::by_definition;
  } catch (const std::exception&) { return Outcome::refused; }
}

// The first operands on which the operator runs with one of the first few types.
std::optional<int> working_variant(const OperatorForm& form, Device& device) {
  std::vector<DType> first;
  for (const DType t : {DType::f32, DType::i64, DType::boolean, DType::string, DType::u8, DType::i32})
    if (std::ranges::find(form.dtypes, t) != form.dtypes.end()) first.push_back(t);
  if (first.empty() && !form.dtypes.empty()) first.push_back(form.dtypes.front());
  for (int variant = 0; variant < kSampleNetworks; ++variant)
    for (const DType t : first)
      if (try_out(form, t, variant, device) != Outcome::refused) return variant;
  return std::nullopt;
}

}  // namespace

std::vector<OperatorRow> operator_table(Device& device) {
  std::vector<OperatorRow> rows;
  for (OperatorForm& form : operator_forms()) {
    OperatorRow row;
    const auto variant = working_variant(form, device);
    row.tried = variant.has_value();
    for (const DType t : row.tried ? form.dtypes : std::vector<DType>()) {
      const Outcome outcome = try_out(form, t, *variant, device);
      if (outcome != Outcome::refused) row.runs.push_back(t);
      if (outcome == Outcome::by_kernels) row.kernels.push_back(t);
    }
    row.form = std::move(form);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string types_text(const std::vector<DType>& types) {
  std::string text;
  for (const DType t : types) text += (text.empty() ? "" : " ") + std::string(info(t).name);
  return text;
}

}  // namespace onecard
