#pragma once

// Before a function whose loops shall be compiled for the wider vectors of newer machines as well; the machine that runs it picks one. For loops in
// which no product is added to anything: those would be fused on some machines, and round otherwise.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define ONECARD_VECTORS __attribute__((target_clones("default", "avx2", "arch=skylake-avx512")))
#else
#define ONECARD_VECTORS
#endif
