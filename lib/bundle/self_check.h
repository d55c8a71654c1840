#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/bundle/encodings.h"
#include "lib/ir/tensor.h"

namespace onecard {

constexpr int64_t kMaxCheckedValues = 4096;           // of all outputs together, but some of each
constexpr int64_t kFewestCheckedValues = 64;

// `count` elements of one output, evenly spaced (element floor(i * elements / count) for i < count), as doubles.
struct CheckedOutput {
  std::string name;
  DType dtype = DType::f32;
  Dims dims;
  double range = 0;                                   // max(max - min, max |x|) of the whole output of the bundle
  std::vector<double> values;                         // the bundle's own answer
  std::vector<double> original;                       // the original model's, empty when it could not be run
};

// What a bundle must reproduce: one sample and the answers to it.
struct SelfCheck {
  std::optional<uint64_t> seed;                       // inputs are random_tensor(type, seed + index) …
  std::vector<Tensor> inputs;                         // … of these types, deferred when read; or the sample itself, when there is no seed
  std::vector<CheckedOutput> outputs;
};

// How many elements of an output a self-check looks at, of a network with so many outputs, and these; none of strings and complex numbers.
int64_t checked_count(const Tensor& output, size_t outputs);
std::vector<double> checked_values(const Tensor& output, int64_t count);
// A seeded input: floats standard normal, integers and booleans 0 or 1; the same on every machine.
Tensor random_tensor(const TensorType& type, uint64_t seed);

Bytes write_self_check(const SelfCheck& check);
SelfCheck read_self_check(std::span<const std::byte> bytes);

}  // namespace onecard
