#pragma once
#include <cstdint>

// Functions of kernels: run on a GPU when nvcc compiles them, and on the host in any case.
#ifdef __CUDACC__
#define ANYWHERE __host__ __device__
#else
#define ANYWHERE
#endif

namespace onecard::cuda {

ANYWHERE inline int ceil_divide(int a, int b) { return static_cast<int>((int64_t{a} + b - 1) / b); }

}  // namespace onecard::cuda
