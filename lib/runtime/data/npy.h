#pragma once
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/file.h"
#include "lib/ir/tensor.h"

namespace onecard {

// numpy's .npy bytes of a tensor and back: little-endian numbers, booleans, complex, strings (U and S); f16 as such; bf16 and smaller types are
// written as the integers of their bits. Fortran order is refused. Raises io.
Tensor read_npy(std::span<const std::byte> file);
std::vector<std::byte> write_npy(const Tensor& t);

// An .npz archive: arrays by name, in the file's order; stored or deflated entries. Raises io.
std::vector<std::pair<std::string, Tensor>> read_npz(const Path& path);
// The names of its arrays, none of them read. Raises io.
std::vector<std::string> names_in_npz(const Path& path);
// Writes one whole or not at all, entries stored.
void write_npz(const Path& path, const std::vector<std::pair<std::string, const Tensor*>>& arrays);

}  // namespace onecard
