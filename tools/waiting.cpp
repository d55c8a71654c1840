#include "tools/waiting.h"

#include <unistd.h>

#include <cstdlib>

namespace onecard {

namespace {
constexpr const char* kSpins = "20000";
}

void bound_waiting(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") || std::getenv("OMP_WAIT_POLICY")) return;
  if (::setenv("GOMP_SPINCOUNT", kSpins, 0) == 0) ::execv("/proc/self/exe", argv);
}

}  // namespace onecard
