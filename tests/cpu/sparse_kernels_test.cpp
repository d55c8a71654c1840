// Products with constants that are partly zero: the panels alone, for every instruction set that this processor has, and the kernels against the
// op's definition.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "lib/cpu/device.h"
#include "lib/cpu/sparse_panels.h"
#include "tests/cpu/kernel_case.h"

namespace onecard {
namespace {

struct PanelCase {
  int64_t k, n, rows;
  double zeros;
};
const PanelCase kPanels[] = {{1, 1, 1, 0},      {1, 1, 1, 1},       {3, 5, 2, 0.5},  {4, 16, 16, 0},    {5, 17, 3, 0.5},
                             {64, 32, 7, 1},    {67, 33, 13, 0.5},  {128, 48, 1, 0}, {131, 31, 4, 0.9}, {257, 65, 8, 0.5},
                             {33, 100, 9, 0.3}, {1000, 20, 5, 0.8}, {2, 16, 11, 0.2}};

std::vector<float> numbers(int64_t count, double zeros, uint32_t seed) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal;
  std::vector<float> v(static_cast<size_t>(count));
  for (float& x : v) x = static_cast<double>(rng()) / 4294967296.0 < zeros ? 0.0f : normal(rng);
  return v;
}

std::vector<SparseTarget> float_targets() {
  std::vector<SparseTarget> all;
  if (sparse_float_target() != SparseTarget::none) all.push_back(SparseTarget::avx2);
  if (sparse_float_target() == SparseTarget::avx512) all.push_back(SparseTarget::avx512);
  return all;
}

enum class Turned { no, yes };
SparseSource source_of(const PanelCase& c, Turned turned) {
  return turned == Turned::yes ? SparseSource{c.k, c.n, 1, c.k} : SparseSource{c.k, c.n, c.n, 1};
}

TEST(SparsePanels, FloatsGiveTheSums) {
  if (float_targets().empty()) GTEST_SKIP() << "this processor has no AVX2";
  for (const PanelCase& c : kPanels)
    for (const Turned turned : {Turned::no, Turned::yes}) {
      std::vector<float> b = numbers(c.k * c.n, c.zeros, 1);
      const std::vector<float> a = numbers(c.rows * c.k, 0, 2);
      b[0] = b[0] == 0 ? -0.0f : b[0];
      const SparseSource from = source_of(c, turned);
      const auto nonzeros = std::count_if(b.begin(), b.end(), [](float v) { return v != 0 || std::signbit(v); });
      const int64_t bytes = sparse_float_bytes(c.k, c.n, nonzeros);
      std::vector<char> packed(static_cast<size_t>(bytes) + 64, 0x5a);
      pack_sparse_floats(b.data(), from, 0.5f, packed.data());
      EXPECT_TRUE(std::all_of(packed.begin() + bytes, packed.end(), [](char v) { return v == 0x5a; }));
      for (const SparseTarget target : float_targets())
        for (int64_t p = 0; p * kSparseColumns < c.n; ++p) {
          std::vector<float> sums(static_cast<size_t>(c.rows * kSparseColumns));
          multiply_sparse_floats(target, packed.data(), c.k, c.n, p, a.data(), c.k, c.rows, sums.data());
          for (int64_t i = 0; i < c.rows; ++i)
            for (int64_t j = 0; j < kSparseColumns; ++j) {
              double want = 0, size = 1;
              for (int64_t k = 0; k < c.k && p * kSparseColumns + j < c.n; ++k) {
                const double term = 0.5 * a[static_cast<size_t>(i * c.k + k)] *
                                    static_cast<double>(b[static_cast<size_t>(k * from.row_stride + (p * kSparseColumns + j) * from.column_stride)]);
                want += term;
                size += std::abs(term);
              }
              ASSERT_NEAR(sums[static_cast<size_t>(i * kSparseColumns + j)], want, 1e-6 * size)
                  << c.k << " by " << c.n << ", row " << i << " column " << j << " target " << static_cast<int>(target);
            }
        }
    }
}

TEST(SparsePanels, BytesGiveTheExactSums) {
  if (sparse_byte_target() == SparseTarget::none) GTEST_SKIP() << "this processor has no VBMI2";
  for (const PanelCase& c : kPanels)
    for (const Turned turned : {Turned::no, Turned::yes}) {
      std::mt19937 rng(3);
      std::vector<int8_t> b(static_cast<size_t>(c.k * c.n));
      for (int8_t& v : b)
        v = static_cast<double>(rng()) / 4294967296.0 < c.zeros ? int8_t{0}
                                                                : static_cast<int8_t>(rng() % 2 ? 127 : -128 + static_cast<int>(rng() % 256));
      const int64_t stride = (c.k + 3) / 4 * 4;
      std::vector<uint8_t> a(static_cast<size_t>(c.rows * stride), 255);
      for (uint8_t& v : a) v = rng() % 2 ? 255 : static_cast<uint8_t>(rng());
      const SparseSource from = source_of(c, turned);
      const int64_t bytes = sparse_byte_bytes(c.k, c.n, static_cast<int64_t>(b.size()) - std::count(b.begin(), b.end(), 0));
      std::vector<char> packed(static_cast<size_t>(bytes) + 64, 0x5a);
      pack_sparse_bytes(b.data(), from, packed.data());
      EXPECT_TRUE(std::all_of(packed.begin() + bytes, packed.end(), [](char v) { return v == 0x5a; }));
      for (int64_t p = 0; p * kSparseColumns < c.n; ++p) {
        std::vector<int32_t> sums(static_cast<size_t>(c.rows * 40));
        multiply_sparse_bytes(sparse_byte_target(), packed.data(), c.k, c.n, p, a.data(), stride, 117, c.rows, sums.data(), 40);
        for (int64_t i = 0; i < c.rows; ++i)
          for (int64_t j = 0; j < std::min(kSparseColumns, c.n - p * kSparseColumns); ++j) {
            int32_t want = 0;
            for (int64_t k = 0; k < c.k; ++k)
              want += (a[static_cast<size_t>(i * stride + k)] - 117) *
                      b[static_cast<size_t>(k * from.row_stride + (p * kSparseColumns + j) * from.column_stride)];
            ASSERT_EQ(sums[static_cast<size_t>(i * 40 + j)], want) << c.k << " by " << c.n << ", row " << i << " column " << j;
          }
      }
    }
}

void check(const std::string& graph, const std::string& kernel, Values values = Values::sparse) {
  static const std::unique_ptr<Device> device = make_cpu_device(2);
  const CaseResult r = run_kernel_case(*device, graph, Given::plain, 5, values);
  std::string why;
  for (const auto& line : r.why_not) why += "\n" + line;
  EXPECT_EQ(r.mismatch, "") << graph;
  EXPECT_EQ(r.kernel, kernel) << graph << why;
}

TEST(SparseKernels, Floats) {
  if (sparse_float_target() == SparseTarget::none) GTEST_SKIP() << "this processor has no AVX2";
  const std::string a = "graph(%a: f32[3,1031], %kb: f32[1031,1021]", end = " return %y }";
  check(a + ") { %y = matmul(%a, %kb)" + end, "cpu.matmul_sparse");
  check(a + ", %c: f32[1021], %r: f32[3,1021]) { %y = matmul(%a, %kb, %c, %r) {activation=gelu, alpha=0.25}" + end, "cpu.matmul_sparse");
  check(a + ", %c: f32[1], %r: f32[3,1021]) { %y = matmul(%a, %kb, %c, %r) {activation=relu, add_order=after_activation}" + end, "cpu.matmul_sparse");
  check("graph(%a: f32[2,4,1031], %kb: f32[1021,1031]) { %y = matmul(%a, %kb) {transpose_b=yes} return %y }", "cpu.matmul_sparse");
  check("graph(%a: f32[1031], %kb: f32[1031,1021]) { %y = matmul(%a, %kb) return %y }", "cpu.matmul_sparse");
  check(a + ") { %y = matmul(%a, %kb)" + end, "onednn.matmul", Values::random);                               // nothing is zero
  check("graph(%a: f32[1,31], %kb: f32[31,21]) { %y = matmul(%a, %kb) return %y }", "onednn.matmul");         // small
  check("graph(%a: f32[40,1031], %kb: f32[1031,1021]) { %y = matmul(%a, %kb) return %y }", "onednn.matmul");  // many rows
  check("graph(%a: f32[1031,3], %kb: f32[1031,1021]) { %y = matmul(%a, %kb) {transpose_a=yes} return %y }", "onednn.matmul");
}

TEST(SparseKernels, Bytes) {
  if (sparse_byte_target() == SparseTarget::none) GTEST_SKIP() << "this processor has no VBMI2";
  for (const char* type : {"u8[2,2053]{scale=[0.5], zero=[117]}", "i8[2,2053]{scale=[0.5], zero=[-3]}"}) {
    const std::string a = "graph(%a: " + std::string(type) + ", %kb: i8[2053,2051]{scale=[0.25], zero=[0]}";
    check(a + ") { %y = matmul(%a, %kb) return %y }", "cpu.matmul_sparse_int8");
    check(a + ", %c: f32[2051], %r: f32[2,2051]) { %y = matmul(%a, %kb, %c, %r) {activation=gelu} return %y }", "cpu.matmul_sparse_int8");
    check(a + ", %c: f32[1]) { %y = matmul(%a, %kb, %c) {activation=relu, output={scale=[128], zero=[0]}, output_dtype=i8} return %y }",
          "cpu.matmul_sparse_int8");
  }
  check(
      "graph(%a: u8[1,2053]{scale=[0.5], zero=[9]}, %kb: i8[2051,2053]{scale=[0.25], zero=[0]}) { %y = matmul(%a, %kb) {transpose_b=yes} return %y }",
      "cpu.matmul_sparse_int8");
}

}  // namespace
}  // namespace onecard
