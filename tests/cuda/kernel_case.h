#pragma once
#include <string>
#include <vector>

#include "lib/device/device.h"

namespace onecard {

struct CaseResult {
  std::string kernel;                                 // the first one of the device that took the node; empty: none did
  std::string why_not;                                // of the others before it
  std::string mismatch;                               // empty: every run equalled the definition
};

// Runs the only node of a graph on the device and by its definition, on signed random data, in buffers of its own and in place of every input
// that allows it.
CaseResult run_kernel_case(Device& device, const std::string& graph_text, uint32_t seed);

// Every kernel of the CUDA device with odd shapes: the graph and who must take it.
struct KernelCase {
  std::string graph, kernel;
};
std::vector<KernelCase> cuda_cases();

}  // namespace onecard
