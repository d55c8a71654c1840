// Kernels that read weights of 4 and 8 bits as they are stored, against the definitions of their ops.
#include <gtest/gtest.h>

#include "lib/cpu/device.h"
#include "tests/cpu/kernel_case.h"

namespace onecard {
namespace {

using std::string;
using std::to_string;

Device& device() {
  static const std::unique_ptr<Device> cpu = make_cpu_device(0);
  return *cpu;
}

void check(const string& graph, const string& kernel) {
  SCOPED_TRACE(graph.substr(0, 160));
  const CaseResult r = run_kernel_case(device(), graph, Given::plain, 5);
  EXPECT_EQ(r.mismatch, "") << r.kernel;
  string why;
  for (const auto& w : r.why_not) why += "\n  " + w.substr(0, 200);
  EXPECT_EQ(r.kernel, kernel) << why;
}

// So many numbers: of a kind that f16 holds, or does not.
enum class Scales { halves, floats };
string scales(int64_t count, Scales kind) {
  string text;
  for (int64_t i = 0; i < count; ++i)
    text += (i ? "," : "") +
            (kind == Scales::halves ? to_string(0.015625 * static_cast<double>(1 + i % 3)) : to_string(0.01 + 0.0033 * static_cast<double>(i % 7)));
  return text;
}
string zeros(int64_t count, int64_t low, int64_t high) {
  string text;
  for (int64_t i = 0; i < count; ++i) text += (i ? "," : "") + to_string(low + i * 5 % (high - low + 1));
  return text;
}

struct Weight {
  string dtype;
  int64_t k, n, block;  // block 0: a scale per column; -1: one scale
  bool turned = false;
  string zero = "0";
  Scales kind = Scales::halves;
  string text() const {
    const int64_t blocks = block > 0 ? (k + block - 1) / block : 1, count = block < 0 ? 1 : blocks * n;
    const int64_t axis = block < 0 ? -1 : (block == 0) == turned ? 0 : 1;
    return dtype + (turned ? "[" + to_string(n) + "," + to_string(k) : "[" + to_string(k) + "," + to_string(n)) +
           "]{axis=" + (block > 0 ? to_string(turned ? 1 : 0) : to_string(axis)) + ", block=" + to_string(std::max<int64_t>(block, 0)) + ", scale=[" +
           scales(count, kind) + "], zero=[" + (zero == "each" ? dtype == "i8" ? zeros(count, -9, 9) : zeros(count, 0, 15) : zero) + "]}";
  }
};

string product(const string& a, const Weight& w, const string& more_inputs = "", const string& more = "", const string& fields = "") {
  const string turn = w.turned ? "transpose_b=yes, " : "";
  return "graph(%a: f32" + a + ", %k: " + w.text() + more_inputs + ") { %y = matmul(%a, %k" + more + ") {" + turn + fields + "} return %y }";
}

TEST(CodedMatMul, FormsOfTheWeight) {
  for (const bool turned : {false, true})
    for (const Scales kind : {Scales::halves, Scales::floats})
      for (const int64_t block : {-1, 0, 16, 32, 128}) {
        check(product("[1,70]", {"i4", 70, 37, block, turned, "0", kind}), "cpu.matmul_coded");
        check(product("[3,70]", {"u4", 70, 37, block, turned, "8", kind}), "cpu.matmul_coded");
        check(product("[2,70]", {"u4", 70, 37, block, turned, "each", kind}), "cpu.matmul_coded");
        check(product("[5,70]", {"i8", 70, 37, block, turned, "0", kind}), "cpu.matmul_coded");
        check(product("[1,70]", {"i8", 70, 37, block, turned, "each", kind}), "cpu.matmul_coded");
        check(product("[4,70]", {"u8", 70, 37, block, turned, "128", kind}), "cpu.matmul_coded");
      }
}

TEST(CodedMatMul, Sizes) {
  for (const int64_t k : {1, 2, 31, 33, 256, 300, 513})
    for (const int64_t n : {1, 2, 16, 31, 33, 65})
      for (const char* rows : {"1", "2", "7", "13", "400"}) {
        check(product("[" + string(rows) + "," + to_string(k) + "]", {"i4", k, n, 32}), "cpu.matmul_coded");
        check(product("[" + string(rows) + "," + to_string(k) + "]", {"i8", k, n, 0, true}), "cpu.matmul_coded");
      }
  check(product("[70]", {"i4", 70, 37, 32}), "cpu.matmul_coded");
  check(product("[2,3,5,70]", {"i4", 70, 37, 32}), "cpu.matmul_coded");
  check(product("[0,70]", {"i4", 70, 37, 32}), "cpu.matmul_coded");
}

TEST(CodedMatMul, WhatFollows) {
  for (const char* rows : {"2", "30"}) {
    const string a = "[" + string(rows) + ",70]", y = ", %r: f32[" + string(rows) + ",37]";
    check(product(a, {"i4", 70, 37, 32}, ", %b: f32[37]", ", %b"), "cpu.matmul_coded");
    check(product(a, {"i4", 70, 37, 32}, ", %b: f32[1]", ", %b"), "cpu.matmul_coded");
    check(product(a, {"i4", 70, 37, 32}, ", %b: f32[37]", ", %b", "alpha=0.5, activation=relu"), "cpu.matmul_coded");
    check(product(a, {"i8", 70, 37, 0}, y, ", _, %r"), "cpu.matmul_coded");
    check(product(a, {"i4", 70, 37, 32}, ", %b: f32[37]" + y, ", %b, %r", "activation=silu"), "cpu.matmul_coded");
    check(product(a, {"i4", 70, 37, 32}, ", %b: f32[37]" + y, ", %b, %r", "activation=tanh, add_order=after_activation"), "cpu.matmul_coded");
  }
}

TEST(CodedMatMul, LeavesTheRestToOthers) {
  check(product("[70,3]", {"i4", 70, 37, 32}, "", "", "transpose_a=yes"), "onednn.matmul");
  check("graph(%a: f32[2,3,70], %k: i8[2,70,5]{axis=1, block=32, scale=[" + scales(30, Scales::halves) +
            "], zero=[0]}) { %y = matmul(%a, %k) return %y }",
        "onednn.matmul");
  check(
      "graph(%a: f32[3,70], %k: i8[70,8]{axis=1, block=4, scale=[" + scales(140, Scales::halves) + "], zero=[0]}) { %y = matmul(%a, %k) return %y }",
      "onednn.matmul");
}

TEST(GatherDequantized, Tables) {
  const auto table = [](const string& type, const string& fields = "") {
    return "graph(%k: " + type + ") { %i: i64[2,3] = constant [0,4,-1,2,2,1] %y = gather_dequantized(%k, %i) {" + fields + "} return %y }";
  };
  for (const string dtype : {"i4", "u4", "i8", "u8"}) {
    const string zero = dtype == "u4" || dtype == "u8" ? "7" : "0";
    check(table(dtype + "[5,33]{axis=0, scale=[" + scales(5, Scales::floats) + "], zero=[" + zero + "]}"), "cpu.gather_dequantized");
    check(table(dtype + "[5,33]{axis=1, block=16, scale=[" + scales(15, Scales::halves) + "], zero=[" + zero + "]}"), "cpu.gather_dequantized");
    check(table(dtype + "[5,3,32]{axis=2, block=16, scale=[" + scales(30, Scales::halves) + "], zero=[" + zero + "]}"), "cpu.gather_dequantized");
    check(table(dtype + "[5,33]{scale=[0.25], zero=[" + zero + "]}", "dtype=f16"), "cpu.gather_dequantized");
  }
  check(table("u4[5,33]{axis=1, block=32, scale=[" + scales(10, Scales::halves) + "], zero=[" + zeros(10, 0, 15) + "]}", "dtype=bf16"),
        "cpu.gather_dequantized");
  check(table("i8[5,600]{axis=1, block=128, scale=[" + scales(25, Scales::halves) + "], zero=[0]}"), "cpu.gather_dequantized");
  check("graph(%k: i8[3,5]{axis=1, block=2, scale=[" + scales(9, Scales::halves) +
            "], zero=[0]}) { %i: i32[2] = constant [4,-5] %y = gather_dequantized(%k, %i) {axis=1} return %y }",
        "reference");
}

}  // namespace
}  // namespace onecard
