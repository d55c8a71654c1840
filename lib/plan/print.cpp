#include <sstream>

#include "lib/plan/plan.h"

namespace onecard {

namespace {

constexpr const char* kKinds[] = {"arena", "input", "output", "weight", "pool"};

void print_buffers(std::ostream& o, const std::vector<int>& list) {
  for (size_t i = 0; i < list.size(); ++i) {
    o << (i ? ", " : "");
    if (list[i] < 0) o << "_";
    else o << "#" << list[i];
  }
}

}  // namespace

std::string to_text(const Plan& plan) {
  std::ostringstream o;
  const MemorySummary& m = plan.memory;
  o << "plan: arena " << plan.arena_bytes << " bytes, lower bound " << plan.arena_lower_bound_bytes << ", weights " << m.weights_bytes << ", inputs and outputs " << m.io_bytes << ", peak "
    << m.peak_bytes << "\n";
  for (size_t i = 0; i < plan.buffers.size(); ++i) {
    const Buffer& b = plan.buffers[i];
    o << "buffer #" << i << " " << kKinds[static_cast<size_t>(b.kind)] << " " << b.bytes << " bytes";
    if (b.padding_bytes) o << " (" << b.padding_bytes << " padding)";
    o << " steps " << b.first << ".." << b.last;
    if (b.offset >= 0) o << " at " << b.offset;
    if (b.alias_of >= 0) o << " is #" << b.alias_of;
    o << " %" << b.value << "\n";
  }
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const PlanStep& step = plan.steps[s];
    o << "step " << s << " " << step.kernel;
    if (step.node) o << " " << step.node->op->name() << " '" << step.node->name << "'";
    o << " (";
    print_buffers(o, step.in);
    o << ") -> ";
    print_buffers(o, step.out);
    if (step.workspace >= 0) o << " workspace #" << step.workspace;
    if (step.step && step.step->view_of >= 0) o << " view";
    if (step.dynamic) o << " dynamic";
    if (step.recomputed) o << " recomputed";
    o << "\n";
  }
  return o.str();
}

}  // namespace onecard
