#pragma once
#include <cstddef>  // says which C library this is

// Before a function whose loops shall be compiled for the wider vectors of newer machines as well; the machine that runs it picks one. For loops in
// which no product is added to anything: those would be fused on some machines, and round otherwise. Nothing where the C library cannot pick, and
// under sanitizers, which are not ready when it does.
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define ONECARD_VECTORS __attribute__((target_clones("default", "avx2", "arch=skylake-avx512")))
#else
#define ONECARD_VECTORS
#endif
