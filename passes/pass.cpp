#include "passes/pass.h"

#include <algorithm>
#include <iterator>

#include "passes/refine.h"

namespace onecard {

namespace {
constexpr PassInfo kPasses[] = {
#define PASS(name, equation) {#name, equation, &name},
#include "passes/passes.inc"
#undef PASS
};
}  // namespace

std::span<const PassInfo> all_passes() { return kPasses; }

const PassInfo* find_pass(std::string_view name) {
  const auto it = std::find_if(std::begin(kPasses), std::end(kPasses), [&](const PassInfo& p) { return p.name == name; });
  return it == std::end(kPasses) ? nullptr : it;
}

bool is_read(const Graph& graph, const Node& node) {
  return std::any_of(node.outputs.begin(), node.outputs.end(), [&](const Value* v) { return !v->users.empty() || graph.is_output(v); });
}

bool attempted(const std::function<bool()>& rule) {
  try {
    return rule();
  } catch (const ImpossibleModel&) { throw; } catch (const Error& e) {
    if (e.kind != ErrorKind::model) throw;
    return false;
  }
}

}  // namespace onecard
