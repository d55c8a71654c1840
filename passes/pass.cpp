#include "passes/pass.h"

#include <algorithm>
#include <iterator>

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

}  // namespace onecard
