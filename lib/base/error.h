#pragma once
#include <cstdint>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace onecard {

// Why a command ends; the values are the program's exit codes.
enum class ErrorKind : int {
  check_failed = 1,
  usage = 2,
  model = 3,
  does_not_fit = 4,
  io = 5,
  no_device = 6,
  internal = 70,
};

// The greppable name of a kind, as `--json` prints it.
const char* kind_name(ErrorKind kind);

// The one exception of the project: what is wrong, where, and what to do about it.
struct Error : std::runtime_error {
  Error(ErrorKind k, const std::string& what_is_wrong, std::string where_it_is = {});
  ErrorKind kind;
  std::string message, where;
  std::optional<int64_t> smallest_feasible_bytes;  // with does_not_fit under a memory limit
};

// Names the work in progress on this thread; every error raised inside starts with these names.
class ErrorScope {
 public:
  explicit ErrorScope(std::string what);
  ~ErrorScope();
  ErrorScope(const ErrorScope&) = delete;
  ErrorScope& operator=(const ErrorScope&) = delete;
  // The open scopes, outermost first, joined by ": ".
  static std::string text();
};

// Raises Error{kind} with what was written, under the open scopes. Not inline: nearly every file raises something, and paid for this code in compile
// time.
[[noreturn]] void raise(ErrorKind kind, const std::ostringstream& what_is_wrong);

// Raises Error{kind} with the parts streamed together, under the open scopes.
template <class... Parts>
[[noreturn]] void fail(ErrorKind kind, const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  raise(kind, out);
}

template <class... Parts>
void require(bool ok, ErrorKind kind, const Parts&... parts) {
  if (!ok) fail(kind, parts...);
}

}  // namespace onecard
