#pragma once
#include <cuda_runtime_api.h>

#include "lib/base/error.h"

namespace onecard::cuda {

// The error kind that a CUDA status stands for.
inline ErrorKind kind_of(cudaError_t status) {
  switch (status) {
    case cudaErrorMemoryAllocation: return ErrorKind::does_not_fit;
    case cudaErrorNoDevice: case cudaErrorInsufficientDriver: case cudaErrorInvalidDevice: case cudaErrorDevicesUnavailable:
    case cudaErrorNoKernelImageForDevice: case cudaErrorUnsupportedPtxVersion: case cudaErrorSystemNotReady: case cudaErrorSystemDriverMismatch:
    case cudaErrorInitializationError: return ErrorKind::no_device;
    default: return ErrorKind::internal;
  }
}

// Raises the error that `status` stands for; `what` says what was being done.
inline void check(cudaError_t status, const char* what) {
  if (status != cudaSuccess) fail(kind_of(status), "CUDA: ", what, ": ", cudaGetErrorString(status), " (", cudaGetErrorName(status), ")");
}

}  // namespace onecard::cuda
