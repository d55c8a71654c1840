#pragma once
#include <memory>

#include "lib/plan/plan.h"

namespace onecard {

// A host device whose elementwise steps work in place, whose reshapes are views, and whose tanh wants and gives a layout of its own: elements in
// reverse order after 64 bytes of padding. Other ops run on the reference.
std::unique_ptr<Device> make_fake_device();

// Runs a plan as it says, in an arena of exactly the planned size that starts out full of rubbish.
std::vector<Tensor> run_plan(const Plan& plan, const Graph& graph, const std::vector<const Tensor*>& inputs);

}  // namespace onecard
