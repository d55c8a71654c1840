#include "tools/waiting.h"

#include <unistd.h>

#include <cstdlib>

namespace onecard {

namespace {

constexpr const char* kVariable = "GOMP_SPINCOUNT";
constexpr const char* kSpins = "20000";
char kSetting[] = "GOMP_SPINCOUNT=20000";

// No library call: this runs before libraries are initialized.
bool names(const char* setting, const char* variable) {
  while (*variable && *setting == *variable) ++setting, ++variable;
  return *variable == '\0' && *setting == '=';
}

// Starts the program over as soon as it is loaded, before any library's initialization is paid for once more.
__attribute__((no_sanitize("address", "thread", "undefined"))) void bound_waiting_early(int, char** argv, char** environment) {
  size_t count = 0;
  for (; environment[count]; ++count)
    if (names(environment[count], kVariable) || names(environment[count], "OMP_WAIT_POLICY")) return;
  auto** with_setting = static_cast<char**>(__builtin_alloca((count + 2) * sizeof(char*)));
  for (size_t i = 0; i < count; ++i) with_setting[i] = environment[i];
  with_setting[count] = kSetting;
  with_setting[count + 1] = nullptr;
  ::execve("/proc/self/exe", argv, with_setting);
}

__attribute__((section(".preinit_array"), used)) void (*const kBoundWaitingEarly)(int, char**, char**) = bound_waiting_early;

}  // namespace

// Where the loader did not run the early form.
void bound_waiting(char** argv) {
  if (std::getenv(kVariable) || std::getenv("OMP_WAIT_POLICY")) return;
  if (::setenv(kVariable, kSpins, 0) == 0) ::execv("/proc/self/exe", argv);
}

}  // namespace onecard
