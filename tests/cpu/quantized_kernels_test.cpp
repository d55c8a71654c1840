// The kernels of quantized values that are no layers, against the definitions of their ops.
#include <gtest/gtest.h>

#include "lib/cpu/device.h"
#include "tests/cpu/kernel_case.h"

namespace onecard {
namespace {

using std::string;

void check(const string& graph, const string& kernel, Given given = Given::plain) {
  static const std::unique_ptr<Device> cpu = make_cpu_device(0);
  SCOPED_TRACE(graph);
  const CaseResult r = run_kernel_case(*cpu, graph, given, 5);
  EXPECT_EQ(r.mismatch, "") << r.kernel;
  string why;
  for (const auto& w : r.why_not) why += "\n  " + w;
  if (kernel.empty()) EXPECT_NE(r.kernel, "reference") << why;
  else EXPECT_EQ(r.kernel, kernel) << why;
}

TEST(Quantized, Lookup) {
  for (const char* x : {"u8[3,70]{scale=[0.5], zero=[3]}", "i8[5]{scale=[0.5], zero=[-3]}", "i8[]", "u8[0,3]", "u8[70000]"})
    for (const char* table : {"i8[256]{scale=[0.1], zero=[0]}", "u8[256]", "i16[256]", "f32[256]"})
      check(string("graph(%x: ") + x + ") { %t: " + table + " = constant %y = lookup(%x, %t) return %y }", "cpu.lookup");
}

TEST(Quantized, Binary) {
  const char* shapes[][2] = {{"2,3,40", "2,3,40"}, {"2,3,40", "40"}, {"1,3,1", "2,3,40"}, {"", "7"}, {"0,3", "3"}, {"20000", "20000"}};
  for (const auto& s : shapes)
    for (const char* fn : {"add", "sub", "mul", "div", "max", "min"})
      for (const char* f : {"", ", activation=relu", ", activation=clip(-0.5,3)"}) {
        const string a = string("%a: i8[") + s[0] + "]{scale=[0.05], zero=[-3]}", b = string("%b: u8[") + s[1] + "]{scale=[0.03], zero=[200]}";
        const string head = "graph(" + a + ", " + b + ") { %y = quantized_binary(%a, %b) {fn=" + fn + f;
        check(head + ", output={scale=[0.07], zero=[11]}} return %y }", "cpu.quantized_binary");
        check(head + ", output={scale=[0.07], zero=[11]}, output_dtype=u8} return %y }", "cpu.quantized_binary");
      }
}

// What convolutions leave with channels innermost is taken and given so; where one operand broadcasts it is not.
TEST(Quantized, BinaryOfChannelsLast) {
  static const std::unique_ptr<Device> cpu = make_cpu_device(0);
  for (const auto& [b, kept] : {std::pair("2,5,3,4", true), {"5,1,1", false}}) {
    const string graph = string("graph(%a: i8[2,5,3,4]{scale=[0.05], zero=[-3]}, %b: u8[") + b +
                         "]{scale=[0.03], zero=[200]}) { %y = quantized_binary(%a, %b) {fn=add, output={scale=[0.07], zero=[11]}} return %y }";
    check(graph, "cpu.quantized_binary", Given::channels_last);
    const CaseResult r = run_kernel_case(*cpu, graph, Given::channels_last, 5);
    EXPECT_EQ(r.out_layouts.find("plain") == string::npos, kept) << r.out_layouts;
  }
}

TEST(Quantized, Averages) {
  for (const char* x : {"u8[2,5,9,7]{scale=[0.05], zero=[13]}", "i8[2,5,9,7]{scale=[0.05], zero=[-13]}"})
    for (const char* dtype : {"i8", "u8"}) {
      const string end = string(", output={scale=[0.03], zero=[2]}, output_dtype=") + dtype + "} return %y }",
                   head = string("graph(%x: ") + x + ") { %y = ";
      for (const char* fn : {"average", "average_with_padding"}) {
        check(head + "pool(%x) {fn=" + fn + ", kernel=[3,3], pads=[1,1,1,1], strides=[2,2]" + end, "cpu.quantized_pool");
        check(head + "pool(%x) {fn=" + fn + ", kernel=[2,3], dilations=[2,1], rounding=up" + end, "cpu.quantized_pool");
      }
      check(head + "global_pool(%x) {fn=average" + end, "cpu.quantized_global_pool");
    }
}

TEST(Quantized, QuantizeAndDequantize) {
  const char* quants[] = {"scale=[0.05], zero=[3]", "axis=1, scale=[0.05,0.1,0.2], zero=[1,2,3]", "axis=2, scale=[0.05,0.1,0.2,0.3], zero=[0]",
                          "axis=2, block=2, scale=[0.1,0.2,0.3,0.1,0.2,0.3,0.1,0.2,0.3,0.1,0.2,0.3], zero=[0]"};
  for (const char* quant : quants)
    for (const char* t : {"i8", "u8", "i16", "u16"}) {
      check(string("graph(%x: f32[2,3,4]) { %y = quantize(%x) {quant={") + quant + "}, dtype=" + t + "} return %y }", "");
      check(string("graph(%x: ") + t + "[2,3,4]{" + quant + "}) { %y = dequantize(%x) return %y }", "");
    }
  check("graph(%x: i32[7]{scale=[0.05], zero=[3]}) { %y = dequantize(%x) return %y }", "");
  check("graph(%x: f32[8192]) { %y = quantize(%x) {quant={scale=[0.01], zero=[3]}, dtype=u8} return %y }", "");
  check("graph(%x: u8[2,3]) { %y = reinterpret(%x) {quant={scale=[0.01], zero=[3]}} return %y }", "cpu.view");
}

}  // namespace
}  // namespace onecard
