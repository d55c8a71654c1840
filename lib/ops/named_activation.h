#pragma once
#include <map>
#include <string>

#include "lib/ops/expansion.h"

namespace onecard {

// Parameters by the names of the ONNX operator's attributes ("alpha", "beta", "gamma", "min", "max").
using ActivationParameters = std::map<std::string, float>;

// x under the elementwise function that ONNX has under this name (its attributes' defaults where nothing is given); x itself for "".
Value* named_activation(const Expansion& ex, Value* x, const std::string& name, const ActivationParameters& parameters);

}  // namespace onecard
