#pragma once
#include <string>
#include <vector>

#include "lib/device/device.h"
#include "lib/onnx/operator_forms.h"

namespace onecard {

// One ONNX operator as this program runs it. Nothing here is claimed: each type was tried on a small network of this one node.
struct OperatorRow {
  OperatorForm form;
  bool tried = false;          // whether some operands were found on which it runs; else the lists are empty
  std::vector<DType> runs;     // with these it runs: somewhere, at least by its definition
  std::vector<DType> kernels;  // of these, those for which all of it is done by the device's own kernels
};

// Every operator that can be imported, tried on `device`; some seconds.
std::vector<OperatorRow> operator_table(Device& device);

// Their names, "f32 f64 bf16".
std::string types_text(const std::vector<DType>& types);

}  // namespace onecard
