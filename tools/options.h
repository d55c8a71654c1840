#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/file.h"
#include "lib/ir/graph.h"
#include "lib/runtime/data/carry.h"
#include "lib/runtime/data/samples.h"
#include "tools/flags.h"

namespace onecard {

// The words that several commands share, as they were typed.
struct OutputOptions {
  bool json = false, quiet = false, verbose = false;
  std::string progress = "auto";
};
struct DeviceOptions {
  std::string device = "auto";
  int threads = 0;
};
struct SourceOptions {
  std::vector<std::string> external_roots;
};
struct SizeOptions {
  std::vector<std::string> shapes, dims;
};
struct DataOptions {
  std::string data, preprocess, carry_start;
  std::vector<std::string> inputs, carry;
  std::optional<uint64_t> random;
  bool any() const { return !data.empty() || !inputs.empty() || random.has_value(); }
};

void add_options(Flags& flags, OutputOptions& o);
void add_options(Flags& flags, DeviceOptions& o);
void add_options(Flags& flags, SourceOptions& o);
void add_options(Flags& flags, SizeOptions& o);
enum class RandomInputs { allowed, refused };
void add_options(Flags& flags, DataOptions& o, RandomInputs random);

// What they mean; all raise usage.
std::vector<Path> external_roots_of(const SourceOptions& o);
std::map<std::string, Dims> shapes_of(const SizeOptions& o);
SymbolValues dims_of(const SizeOptions& o);
Carry carry_of(const DataOptions& o);
// The samples, which must keep the sizes given.
SampleOptions sample_options_of(const DataOptions& o, const SizeOptions& sizes);
// SIZE: 512MiB, 200kB, 6G, 1e9, 80% of `whole_bytes`, -1GiB less than it. `flag` is named in errors.
int64_t parse_size(const std::string& text, const std::string& flag, int64_t whole_bytes);
// Raises io unless a file can be made there: said before the work, not after it. Whatever lies there stays.
void check_writable(const Path& file, const std::string& flag);
// Raises usage: the flag exists in the contract and not yet in this version.
[[noreturn]] void comes_later(const std::string& flag, const std::string& what_there_is);

}  // namespace onecard
