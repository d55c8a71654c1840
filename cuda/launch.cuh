#pragma once
// How kernels are written and started. A kernel is a functor over plain data; the same source runs on a GPU (compiled by nvcc) and, for tests,
// on the calling thread (compiled by any C++ compiler, where `queue` is ignored).
#include <memory>
#include <vector>

#include "cuda/anywhere.h"
#include "lib/device/kernel.h"

#ifdef __CUDACC__
#include "cuda/check.h"
#endif

namespace onecard::cuda {

constexpr int kWarp = 32;
constexpr int kBlock = 256;                           // threads of a block
constexpr int kMaxGridZ = 65535;

// The lanes that work on one row together; each sees its own partial value and gets the row's.
struct OneLane {
  ANYWHERE int index() const { return 0; }
  ANYWHERE int count() const { return 1; }
  ANYWHERE float sum(float v) const { return v; }
  ANYWHERE float product(float v) const { return v; }
  ANYWHERE float max(float v) const { return v; }
};

#ifdef __CUDACC__

struct WarpLanes {
  int lane;
  ANYWHERE int index() const { return lane; }
  ANYWHERE int count() const { return kWarp; }
  ANYWHERE float sum(float v) const {
    return all(v, [](float a, float b) { return a + b; });
  }
  ANYWHERE float product(float v) const {
    return all(v, [](float a, float b) { return a * b; });
  }
  ANYWHERE float max(float v) const {
    return all(v, [](float a, float b) { return fmaxf(a, b); });
  }

 private:
  template <class Combine>
  ANYWHERE static float all(float v, [[maybe_unused]] Combine combine) {
#ifdef __CUDA_ARCH__
    for (int d = kWarp / 2; d > 0; d /= 2) v = combine(v, __shfl_xor_sync(0xffffffffu, v, d));
#endif
    return v;
  }
};

template <class F>
__global__ void __launch_bounds__(kBlock) run_each(F f, int count) {
  const unsigned i = blockIdx.x * unsigned{kBlock} + threadIdx.x;
  if (i < static_cast<unsigned>(count)) f(static_cast<int>(i));
}

template <class F>
__global__ void __launch_bounds__(kBlock) run_rows(F f, int rows) {
  const unsigned row = blockIdx.x * unsigned{kBlock / kWarp} + threadIdx.y;
  if (row < static_cast<unsigned>(rows)) f(WarpLanes{static_cast<int>(threadIdx.x)}, static_cast<int>(row));  // whole warps leave together
}

template <class Tile>
__global__ void __launch_bounds__(Tile::kThreads) run_tiles(Tile tile) {
  __shared__ typename Tile::Shared shared;
  for (int batch = static_cast<int>(blockIdx.z); batch < tile.batches(); batch += static_cast<int>(gridDim.z)) {
    const typename Tile::Place place = tile.place(static_cast<int>(blockIdx.x), batch, static_cast<int>(threadIdx.x));
    typename Tile::Sums sums{};
    for (int k = 0; k < tile.depth(); k += Tile::kDepth) {
      tile.load(shared, place, k);
      __syncthreads();
      tile.multiply(shared, place, sums);
      __syncthreads();
    }
    tile.store(place, sums);
  }
}

// Calls f(i) for 0 <= i < count.
template <class F>
void launch_each(const F& f, int count, void* queue) {
  if (count <= 0) return;
  run_each<<<static_cast<unsigned>(ceil_divide(count, kBlock)), kBlock, 0, static_cast<cudaStream_t>(queue)>>>(f, count);
  check(cudaGetLastError(), "launching a kernel");
}

// Calls f(lanes, row) for 0 <= row < rows.
template <class F>
void launch_rows(const F& f, int rows, void* queue) {
  if (rows <= 0) return;
  const dim3 block(kWarp, kBlock / kWarp);
  run_rows<<<static_cast<unsigned>(ceil_divide(rows, kBlock / kWarp)), block, 0, static_cast<cudaStream_t>(queue)>>>(f, rows);
  check(cudaGetLastError(), "launching a kernel");
}

// Runs every block of a tiled product: for each piece of the depth all threads load, then all multiply; at the end all store.
template <class Tile>
void launch_tiles(const Tile& tile, void* queue) {
  if (tile.blocks() <= 0 || tile.batches() <= 0) return;
  const dim3 grid(static_cast<unsigned>(tile.blocks()), 1, static_cast<unsigned>(tile.batches() < kMaxGridZ ? tile.batches() : kMaxGridZ));
  run_tiles<<<grid, Tile::kThreads, 0, static_cast<cudaStream_t>(queue)>>>(tile);
  check(cudaGetLastError(), "launching a kernel");
}

#else

template <class F>
void launch_each(const F& f, int count, void*) {
  for (int i = 0; i < count; ++i) f(i);
}

template <class F>
void launch_rows(const F& f, int rows, void*) {
  for (int row = 0; row < rows; ++row) f(OneLane{}, row);
}

template <class Tile>
void launch_tiles(const Tile& tile, void*) {
  auto shared = std::make_unique<typename Tile::Shared>();
  for (int batch = 0; batch < tile.batches(); ++batch)
    for (int block = 0; block < tile.blocks(); ++block) {
      std::vector<typename Tile::Place> places;
      for (int t = 0; t < Tile::kThreads; ++t) places.push_back(tile.place(block, batch, t));
      std::vector<typename Tile::Sums> sums(Tile::kThreads);
      for (int k = 0; k < tile.depth(); k += Tile::kDepth) {
        for (const auto& place : places) tile.load(*shared, place, k);
        for (size_t t = 0; t < places.size(); ++t) tile.multiply(*shared, places[t], sums[t]);
      }
      for (size_t t = 0; t < places.size(); ++t) tile.store(places[t], sums[t]);
    }
}

#endif

}  // namespace onecard::cuda
