#include "tools/waiting.h"

#include <unistd.h>

#include <cstdlib>

// libgomp reads GOMP_SPINCOUNT once, while it is being loaded: main comes too late to set it, and starting over with it set loads every library
// twice, 3 to 6 ms. But it asks for it by the function getenv, and a program's own function of that name comes before the C library's.

namespace onecard {

namespace {

constexpr const char* kVariable = "GOMP_SPINCOUNT";
char kSpins[] = "20000";
bool answered = false;  // zero before anything runs

// No library call and nothing of a sanitizer's: this runs before libraries are initialized.
#define EARLY __attribute__((no_sanitize("address", "thread", "undefined")))

EARLY bool same(const char* a, const char* b) {
  while (*a && *a == *b) ++a, ++b;
  return *a == *b;
}

// The value behind NAME= in the environment, or null.
EARLY char* value_of(const char* name) {
  for (char** setting = environ; setting && *setting; ++setting) {
    const char* n = name;
    char* at = *setting;
    while (*n && *n == *at) ++n, ++at;
    if (*n == '\0' && *at == '=') return at + 1;
  }
  return nullptr;
}

EARLY bool is_chosen() { return value_of(kVariable) || value_of("OMP_WAIT_POLICY"); }

}  // namespace

// A libgomp that asked in another way starts the program over.
void bound_waiting(char** argv) {
  if (answered || is_chosen()) return;
  if (::setenv(kVariable, kSpins, 0) == 0) ::execv("/proc/self/exe", argv);
}

}  // namespace onecard

// The C library's function, but for the one variable where nothing was chosen.
extern "C" EARLY char* getenv(const char* name) noexcept {
  using namespace onecard;
  char* const value = value_of(name);
  if (value || !same(name, kVariable) || is_chosen()) return value;
  answered = true;
  return kSpins;
}
