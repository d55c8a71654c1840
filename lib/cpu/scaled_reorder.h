#pragma once
#include "lib/cpu/onednn.h"

namespace onecard {

// Input 0 to output 0, one of them f32, the other `quantized` (argument `side` of the reorder); the layout is kept.
Built build_scaled_reorder(const KernelQuery& q, const OneDnnPtr& library, const TensorType& quantized, int side);

}  // namespace onecard
