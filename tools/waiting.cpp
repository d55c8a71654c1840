#include "tools/waiting.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

// libgomp reads GOMP_SPINCOUNT once, while it is being loaded: main comes too late to set it, and starting over with it set loads every library
// twice, 3 to 6 ms. But it asks for it by the function getenv, and a program's own function of that name comes before the C library's.

namespace onecard {

namespace {

constexpr const char* kVariable = "GOMP_SPINCOUNT";
// Shorter, and threads sleep between the steps of small networks; longer, and so does each wait for a thread that has no core.
constexpr long kSpinNs = 100'000;
constexpr long kFewestSpins = 1'000, kMostSpins = 50'000;
char spins[16];  // as text, once libgomp has asked
bool answered = false;

// No library call and nothing of a sanitizer's: what calls this runs before libraries are initialized.
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

// What a waiting thread does once per spin.
void pause_once() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  __asm__ volatile("" ::: "memory");
#endif
}

long now_ns() {
  timespec t;
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1'000'000'000L + t.tv_nsec;
}

// So many spins as last kSpinNs: a pause takes 5 ns on one processor and 50 on another. The shortest of three measurements was not interrupted.
void write_spins() {
  constexpr long kMeasured = 64;
  long shortest = kSpinNs;
  for (int i = 0; i < 3; ++i) {
    const long begin = now_ns();
    for (long k = 0; k < kMeasured; ++k) pause_once();
    shortest = std::min(shortest, now_ns() - begin);
  }
  const long count = std::clamp(kSpinNs * kMeasured / std::max(shortest, 1L), kFewestSpins, kMostSpins);
  *std::to_chars(spins, spins + sizeof spins - 1, count).ptr = '\0';
}

}  // namespace

// A libgomp that asked in another way starts the program over.
void bound_waiting(char** argv) {
  if (answered || is_chosen()) return;
  write_spins();
  if (::setenv(kVariable, spins, 0) == 0) ::execv("/proc/self/exe", argv);
}

}  // namespace onecard

// The C library's function, but for the one variable where nothing was chosen.
extern "C" EARLY char* getenv(const char* name) noexcept {
  using namespace onecard;
  char* const value = value_of(name);
  if (value || !same(name, kVariable) || is_chosen()) return value;
  if (!answered) write_spins();
  answered = true;
  return spins;
}
