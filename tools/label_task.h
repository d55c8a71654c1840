#pragma once
#include <optional>
#include <string>

#include "lib/flow/diff_accuracy.h"

namespace onecard {

// `--labels FILE --metric NAME`: one class per row of the first output, .npy of integers or text; top1 (also when NAME is empty) or top5. Nothing
// without a file. Raises usage for an unknown metric, io for a file that cannot be read.
std::optional<LabelTask> label_task(const std::string& labels, const std::string& metric);

// Raises usage for a gate that nothing can break, or nothing keep: it was meant in another unit.
void check_gates(const Gates& gates);

}  // namespace onecard
