#include "lib/runtime/self_check_run.h"

#include <algorithm>
#include <cmath>

namespace onecard {

namespace {

CheckedDistance distance(const CheckedOutput& stored, const Tensor* got) {
  CheckedDistance d{stored.name, 0, {}};
  if (!got || !got->has_value() || got->type().container != Container::tensor) d.why_not = "the bundle gives no such tensor";
  else if (got->dtype() != stored.dtype || got->dims() != stored.dims)
    d.why_not = "gives " + got->type().text() + " where " + TensorType(stored.dtype, Shape::of(stored.dims)).text() + " is stored";
  if (!d.why_not.empty()) return d;
  const auto count = static_cast<int64_t>(stored.values.size()), most = checked_count(*got, 1);
  if (count > most || (count == 0 && most > 0))
    return d.why_not = "the self-check holds " + std::to_string(count) + " values of " + std::to_string(most), d;
  const std::vector<double> now = checked_values(*got, count);
  const double range = stored.range > 0 ? stored.range : 1;
  for (size_t i = 0; i < now.size(); ++i) {
    const double a = now[i], b = stored.values[i];
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    if (!std::isfinite(a) || !std::isfinite(b))
      return d.why_not = "value " + std::to_string(i) + " is " + std::to_string(a) + ", not " + std::to_string(b), d;
    d.range_error = std::max(d.range_error, std::fabs(a - b) / range);
  }
  return d;
}

}  // namespace

std::vector<CheckedDistance> run_self_check(Executor& executor, const SelfCheck& check) {
  ErrorScope scope("self-check");
  std::vector<Tensor> made;
  for (const Tensor& t : check.inputs) made.push_back(t.is_deferred() ? t.clone() : t.alias(t.type()));
  std::vector<const Tensor*> in;
  for (const Tensor& t : made) in.push_back(&t);
  const std::vector<Tensor> outputs = executor.run(in);
  std::vector<CheckedDistance> found;
  const auto& values = executor.graph().outputs;
  for (const CheckedOutput& stored : check.outputs) {
    const auto at = std::find_if(values.begin(), values.end(), [&](const Value* v) { return v->name == stored.name; });
    found.push_back(distance(stored, at == values.end() ? nullptr : &outputs[static_cast<size_t>(at - values.begin())]));
  }
  return found;
}

}  // namespace onecard
