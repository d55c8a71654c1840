#pragma once
#include "tools/command.h"

namespace onecard {

// Opens a bundle or an ONNX model.
Network open_model(const OpenRequest& request);

}  // namespace onecard
