#pragma once
#include <string>
#include <vector>

#include "lib/device/device.h"

namespace onecard {

// Which layouts the inputs of a case are said to have before the kernel is asked.
enum class Given { plain, blocked, channels_last };

// Signed random data; for integers the ends of their range and 0 alone: where sums that saturate would show; or constants of which more than half
// is 0, the first two rows whole.
enum class Values { random, extreme, sparse };

struct CaseResult {
  std::string kernel;                // the first one of the device that took the node
  std::vector<std::string> why_not;  // of the others before it
  std::string in_layouts, out_layouts;
  std::string mismatch;  // empty: every run equalled the reference
  bool exact = true;     // to the last bit
};

// Runs the only node of a graph on the device and by its definition, on the data asked for. Graph inputs whose names start with 'k' are
// handed to the kernel as constants, deferred while it plans. Every way to run it is tried: separate buffers and each pair in place. Buffers
// have guards around them.
CaseResult run_kernel_case(Device& device, const std::string& graph_text, Given given, uint32_t seed, Values values = Values::random);

}  // namespace onecard
