// Every CPU kernel against the definition of its op, in every layout it may be given.
#include <gtest/gtest.h>

#include <random>

#include "lib/base/error.h"
#include "lib/cpu/device.h"
#include "tests/cpu/kernel_case.h"

namespace onecard {
namespace {

Device& device() {
  static const std::unique_ptr<Device> cpu = make_cpu_device(0);
  return *cpu;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& l : lines) text += "\n  " + l;
  return text;
}

bool has_exact_int8() { return device().description().find("VNNI") != std::string::npos || device().description().find("AMX") != std::string::npos; }

// Runs a case in each layout. `kernel`: who must take it; empty: anybody.
void check(const std::string& graph, const std::string& kernel = "") {
  if (kernel.ends_with("_int8") && !has_exact_int8()) GTEST_SKIP() << "SKIPPED: no VNNI";
  for (const Given given : {Given::plain, Given::blocked, Given::channels_last}) {
    SCOPED_TRACE(graph);
    const CaseResult r = run_kernel_case(device(), graph, given, 7);
    EXPECT_EQ(r.mismatch, "") << r.kernel << " given " << static_cast<int>(given) << ", layouts " << r.in_layouts << " -> " << r.out_layouts;
    if (!kernel.empty()) { EXPECT_EQ(r.kernel, kernel) << joined(r.why_not); }
  }
}

const char* const kActivations[] = {
    "relu", "leaky_relu(0.1)", "clip(0,6)", "clip(-1,inf)", "sigmoid", "tanh",  "silu(1)", "hard_swish", "hard_sigmoid(0.2,0.5)", "elu(0.7)",
    "gelu", "gelu_tanh",       "mish",      "softplus",     "abs",     "square"};

struct ConvCase {
  const char *x, *w, *y, *fields;
};
const ConvCase kConvs[] = {
    {"1,3,19,23", "20,3,3,3", "1,20,10,12", "strides=[2,2], pads=[1,1,1,1]"},
    {"2,16,7,9", "32,16,1,1", "2,32,7,9", ""},
    {"1,24,8,8", "40,24,1,1", "1,40,4,4", "strides=[2,2]"},
    {"1,17,9,5", "13,17,3,3", "1,13,9,5", "pads=[1,1,1,1]"},
    {"1,32,11,11", "32,1,3,3", "1,32,11,11", "pads=[1,1,1,1], group=32"},
    {"1,19,11,11", "19,1,5,5", "1,19,6,6", "pads=[2,2,2,2], group=19, strides=[2,2]"},
    {"1,24,6,6", "48,6,3,3", "1,48,6,6", "pads=[1,1,1,1], group=4"},
    {"1,16,15,15", "16,16,3,3", "1,16,11,11", "dilations=[2,2]"},
    {"1,16,9,9", "16,16,3,3", "1,16,5,5", "auto_pad=same_upper, strides=[2,2]"},
    {"1,8,9,10", "8,8,2,3", "1,8,10,11", "pads=[2,1,0,2]"},
    {"1,40,33", "24,40,5", "1,24,33", "pads=[2,2]"},
    {"1,4,5,6,7", "8,4,3,3,3", "1,8,5,6,7", "pads=[1,1,1,1,1,1]"},
    {"3,1,1,1", "1,1,1,1", "3,1,1,1", ""},
};

std::string channels(const ConvCase& c) { return std::string(c.w).substr(0, std::string(c.w).find(',')); }

std::string conv_text(const ConvCase& c, const std::string& types_x, const std::string& w_quant, const std::string& residual,
                      const std::string& extra) {
  std::string fields = c.fields;
  if (!extra.empty()) fields += (fields.empty() ? "" : ", ") + extra;
  const size_t brace = types_x.find('{');
  const std::string x = types_x.substr(0, brace) + "[" + c.x + "]" + (brace == std::string::npos ? "" : types_x.substr(brace));
  const size_t w_brace = w_quant.find('{');
  const std::string w = w_quant.substr(0, w_brace) + "[" + c.w + "]" + (w_brace == std::string::npos ? "" : w_quant.substr(w_brace));
  const size_t r_brace = residual.find('{');
  const std::string r =
      residual.empty() ? ""
                       : ", %r: " + residual.substr(0, r_brace) + "[" + c.y + "]" + (r_brace == std::string::npos ? "" : residual.substr(r_brace));
  return "graph(%x: " + x + ", %kw: " + w + ", %kb: f32[" + channels(c) + "]" + r + ") { %y = conv(%x, %kw, %kb" + (residual.empty() ? "" : ", %r") +
         ") {" + fields + "} return %y }";
}

TEST(CpuConv, Geometry) {
  for (const ConvCase& c : kConvs) check(conv_text(c, "f32", "f32", "", ""), "onednn.conv");
}
TEST(CpuConv, Activations) {
  for (const char* a : kActivations) check(conv_text(kConvs[3], "f32", "f32", "", std::string("activation=") + a), "onednn.conv");
}
TEST(CpuConv, Residual) {
  for (const ConvCase& c : kConvs)
    for (const char* order : {"before_activation", "after_activation"})
      check(conv_text(c, "f32", "f32", "f32", std::string("activation=relu, add_order=") + order), "onednn.conv");
}
TEST(CpuConv, WithoutBiasAndWithChangingWeights) {
  check("graph(%x: f32[1,16,9,9], %kw: f32[24,16,3,3]) { %y = conv(%x, %kw) return %y }", "onednn.conv");
  check("graph(%x: f32[1,16,9,9], %w: f32[24,16,3,3], %b: f32[24]) { %y = conv(%x, %w, %b) return %y }", "onednn.conv");
  check("graph(%x: f32[1,16,9,9], %w: f32[24,4,3,3]) { %y = conv(%x, %w) {group=4} return %y }", "onednn.conv");
}
TEST(CpuConv, QuantizedWeightsOfFloats) {
  for (const ConvCase& c : kConvs) check(conv_text(c, "f32", "i8{scale=[0.01], zero=[3]}", "", "activation=relu"), "onednn.conv");
  check("graph(%x: f32[1,16,9,9], %kw: i4[2,16,3,3]{axis=0, scale=[0.1,0.2], zero=[0]}) { %y = conv(%x, %kw) return %y }", "onednn.conv");
}

const char* const kIntegers[] = {"u8{scale=[0.02], zero=[0]}", "u8{scale=[0.02], zero=[117]}", "i8{scale=[0.02], zero=[0]}",
                                 "i8{scale=[0.02], zero=[-9]}"};

TEST(CpuConvInt8, Geometry) {
  for (const ConvCase& c : kConvs)
    for (const char* x : kIntegers) check(conv_text(c, x, "i8{scale=[0.01], zero=[0]}", "", "activation=relu"), "onednn.conv_int8");
}
TEST(CpuConvInt8, Outputs) {
  for (const ConvCase& c : kConvs)
    for (const char* x : kIntegers)
      for (const char* out : {"output={scale=[0.5], zero=[0]}, output_dtype=i8", "output={scale=[0.5], zero=[101]}, output_dtype=u8"})
        check(conv_text(c, x, "i8{scale=[0.01], zero=[0]}", "", std::string("activation=relu, ") + out), "onednn.conv_int8");
}
TEST(CpuConvInt8, Residuals) {
  for (const char* residual : {"f32", "i8{scale=[0.3], zero=[0]}", "u8{scale=[0.3], zero=[77]}", "i8{scale=[0.3], zero=[5]}"})
    for (const char* order : {"before_activation", "after_activation"})
      for (const char* out : {"", ", output={scale=[0.5], zero=[0]}, output_dtype=i8", ", output={scale=[0.5], zero=[101]}, output_dtype=u8"})
        for (const size_t c : {size_t{1}, size_t{3}, size_t{4}})
          check(conv_text(kConvs[c], "u8{scale=[0.02], zero=[117]}", "i8{scale=[0.01], zero=[0]}", residual,
                          std::string("activation=relu, add_order=") + order + out),
                "onednn.conv_int8");
}
TEST(CpuConvInt8, PerChannelScales) {
  for (const char* x : kIntegers) {
    const std::string type = x;
    const std::string xt = type.substr(0, 2) + "[1,4,9,9]" + type.substr(2);
    check("graph(%x: " + xt +
              ", %kw: i8[3,4,3,3]{axis=0, scale=[0.01,0.02,0.005], zero=[0]}, %kb: i32[3]{axis=0, scale=[0.0002,0.0004,0.0001], zero=[0]}) "
              "{ %y = conv(%x, %kw, %kb) {activation=silu(1)} return %y }",
          "onednn.conv_int8");
    check("graph(%x: " + xt + ", %kw: u8[4,2,3,3]{axis=0, scale=[0.01,0.02,0.005,0.03], zero=[128]}) { %y = conv(%x, %kw) {group=2} return %y }",
          "onednn.conv_int8");
  }
}

TEST(CpuConvTranspose, Forms) {
  for (const char* fields : {"", "strides=[2,2]", "strides=[2,2], pads=[1,1,1,1], output_padding=[1,1]", "dilations=[2,2]",
                             "strides=[3,2], pads=[0,1,1,0], activation=relu"}) {
    check(std::string("graph(%x: f32[1,10,5,6], %kw: f32[10,7,3,3], %kb: f32[7]) { %y = conv_transpose(%x, %kw, %kb) {") + fields + "} return %y }",
          "onednn.conv_transpose");
    check(std::string("graph(%x: f32[2,8,5,6], %kw: f32[8,6,3,3]) { %y = conv_transpose(%x, %kw) {group=2") + (*fields ? ", " : "") + fields +
              "} return %y }",
          "onednn.conv_transpose");
  }
  check("graph(%x: f32[1,16,9], %kw: f32[16,8,4], %kb: f32[8]) { %y = conv_transpose(%x, %kw, %kb) {strides=[2], activation=gelu} return %y }",
        "onednn.conv_transpose");
  check("graph(%x: f32[1,16,5,5], %kw: i8[16,8,2,2]{scale=[0.01], zero=[0]}) { %y = conv_transpose(%x, %kw) {strides=[2,2]} return %y }",
        "onednn.conv_transpose");
}

struct MatMulCase {
  const char *a, *b, *y, *fields;
};
const MatMulCase kMatMuls[] = {
    {"5,7", "7,9", "5,9", ""},
    {"1,64", "64,33", "1,33", ""},
    {"7,5", "7,9", "5,9", "transpose_a=yes"},
    {"5,7", "9,7", "5,9", "transpose_b=yes"},
    {"7,5", "9,7", "5,9", "transpose_a=yes, transpose_b=yes, alpha=0.5"},
    {"2,3,5,7", "7,9", "2,3,5,9", "alpha=2"},
    {"2,3,5,7", "2,3,7,9", "2,3,5,9", ""},
    {"2,3,5,7", "1,3,7,9", "2,3,5,9", ""},
    {"2,3,5,7", "3,9,7", "2,3,5,9", "transpose_b=yes, alpha=0.125"},
    {"2,3,7,5", "7,9", "2,3,5,9", "transpose_a=yes"},
    {"5,7", "4,7,9", "4,5,9", ""},
    {"7", "7,9", "9", ""},
    {"5,7", "7", "5", ""},
    {"4,5,7", "7", "4,5", ""},
    {"7", "3,7,2", "3,2", ""},
    {"128,96", "96,160", "128,160", ""},
    {"1,1", "1,1", "1,1", ""},
};

std::string with_shape(const std::string& type, const std::string& shape) {
  const size_t brace = type.find('{');
  return type.substr(0, brace) + "[" + shape + "]" + (brace == std::string::npos ? "" : type.substr(brace));
}

std::string matmul_text(const MatMulCase& c, const std::string& a, const std::string& b, const std::string& b_name, const std::string& bias,
                        const std::string& residual, const std::string& extra) {
  std::string fields = c.fields;
  if (!extra.empty()) fields += (fields.empty() ? "" : ", ") + extra;
  std::string text = "graph(%a: " + with_shape(a, c.a) + ", %" + b_name + ": " + with_shape(b, c.b);
  if (!bias.empty()) text += ", %kbias: f32[" + bias + "]";
  if (!residual.empty()) text += ", %r: " + with_shape(residual, c.y);
  text +=
      ") { %y = matmul(%a, %" + b_name + ", " + (bias.empty() ? "_" : "%kbias") + (residual.empty() ? "" : ", %r") + ") {" + fields + "} return %y }";
  return text;
}
std::string last_extent(const char* y) { return std::string(y).substr(std::string(y).rfind(',') + 1); }

TEST(CpuMatMul, Forms) {
  for (const MatMulCase& c : kMatMuls)
    for (const char* b : {"b", "kb"}) check(matmul_text(c, "f32", "f32", b, "", "", ""), "onednn.matmul");
}
TEST(CpuMatMul, Epilogues) {
  for (const MatMulCase& c : kMatMuls)
    for (const char* b : {"b", "kb"})
      for (const char* order : {"before_activation", "after_activation"})
        check(matmul_text(c, "f32", "f32", b, last_extent(c.y), "f32", std::string("activation=gelu, add_order=") + order), "onednn.matmul");
  for (const char* a : kActivations) check(matmul_text(kMatMuls[0], "f32", "f32", "kb", "9", "", std::string("activation=") + a), "onednn.matmul");
}
TEST(CpuMatMul, BiasOfAnyShape) {
  for (const char* bias : {"", "1", "9", "5,1", "5,9", "3,1,1", "3,5,9", "2,1,1,9", "2,3,5,9", "1,1,1,9"})
    for (const size_t c : {size_t{5}, size_t{6}, size_t{8}})
      for (const char* b : {"b", "kb"}) check(matmul_text(kMatMuls[c], "f32", "f32", b, bias, "", ""));
}
TEST(CpuMatMul, QuantizedWeightsOfFloats) {
  check(matmul_text(kMatMuls[4], "f32", "i8{scale=[0.01], zero=[2]}", "kb", "9", "", ""), "onednn.matmul");
  check("graph(%a: f32[3,8], %kb: i8[8,4]{axis=1, scale=[0.1,0.2,0.3,0.4], zero=[0,1,2,3]}) { %y = matmul(%a, %kb) return %y }", "cpu.matmul_coded");
  check("graph(%a: f32[8,3], %kb: i8[8,4]{axis=1, scale=[0.1,0.2,0.3,0.4], zero=[0,1,2,3]}) { %y = matmul(%a, %kb) {transpose_a=yes} return %y }",
        "onednn.matmul");
  check("graph(%a: f32[8,3], %kb: i4[8,2]{axis=0, block=4, scale=[0.1,0.2,0.3,0.4], zero=[0]}) { %y = matmul(%a, %kb) {transpose_a=yes} return %y }",
        "onednn.matmul");
}
TEST(CpuMatMulInt8, Forms) {
  for (const MatMulCase& c : kMatMuls)
    for (const char* a : kIntegers) {
      check(matmul_text(c, a, "i8{scale=[0.01], zero=[0]}", "kb", last_extent(c.y), "", ""), "onednn.matmul_int8");
      check(matmul_text(c, a, "u8{scale=[0.01], zero=[121]}", "kb", "", "", "activation=relu"), "onednn.matmul_int8");
      check(matmul_text(c, a, "i8{scale=[0.01], zero=[3]}", "b", "", "", ""), "onednn.matmul_int8");
    }
}
TEST(CpuMatMulInt8, OutputsAndResiduals) {
  for (const char* residual : {"", "f32", "i8{scale=[0.3], zero=[5]}", "u8{scale=[0.3], zero=[77]}"})
    for (const char* order : {"before_activation", "after_activation"})
      for (const char* out : {"", ", output={scale=[0.5], zero=[0]}, output_dtype=i8", ", output={scale=[0.5], zero=[101]}, output_dtype=u8"})
        for (const size_t c : {size_t{0}, size_t{4}, size_t{8}, size_t{15}})
          check(matmul_text(kMatMuls[c], "u8{scale=[0.02], zero=[117]}", "i8{scale=[0.01], zero=[0]}", "kb", last_extent(kMatMuls[c].y), residual,
                            std::string("activation=relu, add_order=") + order + out),
                "onednn.matmul_int8");
  check("graph(%a: i8[3,8]{scale=[0.1], zero=[4]}, %kb: i8[8,4]{axis=1, scale=[0.1,0.2,0.3,0.4], zero=[0]}) { %y = matmul(%a, %kb) return %y }",
        "onednn.matmul_int8");
  check(
      "graph(%a: i8[3,8]{scale=[0.1], zero=[4]}, %kb: i8[4,8]{axis=0, scale=[0.1,0.2,0.3,0.4], zero=[0]}) { %y = matmul(%a, %kb) {transpose_b=yes} "
      "return %y }",
      "onednn.matmul_int8");
}

TEST(CpuSoftmax, Axes) {
  for (const char* axis : {"-1", "0", "1", "2"})
    for (const char* form : {"plain", "log"})
      check(std::string("graph(%x: f32[3,5,7]) { %y = softmax(%x) {axis=") + axis + ", form=" + form + "} return %y }", "onednn.softmax");
  check("graph(%x: f32[4,1000]) { %y = softmax(%x) return %y }", "onednn.softmax");
}
TEST(CpuNorms, Layer) {
  check("graph(%x: f32[2,5,48], %ks: f32[48], %kb: f32[48]) { %y = layer_norm(%x, %ks, %kb) return %y }", "onednn.layer_norm");
  check("graph(%x: f32[2,5,6], %ks: f32[5,6]) { %y = layer_norm(%x, %ks) {axis=1, epsilon=0.01} return %y }", "onednn.layer_norm");
}
TEST(CpuNorms, Batch) {
  const std::string var = "%var: f32[5] = constant [0.5,1,2,0.25,3] ";
  for (const char* shape : {"2,5", "2,5,7", "1,5,7,3", "1,5,2,3,4"})
    check(std::string("graph(%x: f32[") + shape + "], %ks: f32[5], %kb: f32[5], %km: f32[5]) { " + var +
              "%y = batch_norm(%x, %ks, %kb, %km, %var) return %y }",
          "onednn.batch_norm");
}
TEST(CpuPool, Forms) {
  for (const char* fn : {"max", "average", "average_with_padding"})
    for (const char* fields :
         {"kernel=[3,3], strides=[2,2], pads=[1,1,1,1]", "kernel=[2,2], strides=[2,2]", "kernel=[3,2], strides=[1,2], pads=[0,1,2,0]",
          "kernel=[2,2], strides=[2,2], rounding=up", "kernel=[3,3], strides=[2,2], auto_pad=same_upper", "kernel=[2,2], dilations=[2,2]"})
      for (const char* shape : {"1,16,11,13", "2,5,8,9"})
        check(std::string("graph(%x: f32[") + shape + "]) { %y = pool(%x) {fn=" + fn + ", " + fields + "} return %y }");
  check("graph(%x: f32[1,16,20]) { %y = pool(%x) {kernel=[4], strides=[2]} return %y }", "onednn.pool");
  check("graph(%x: i8[1,16,9,9]{scale=[0.1], zero=[3]}) { %y = pool(%x) {kernel=[3,3], strides=[2,2], pads=[1,1,1,1]} return %y }", "onednn.pool");
  check("graph(%x: u8[1,7,9,9]{scale=[0.1], zero=[3]}) { %y = pool(%x) {kernel=[3,3], strides=[2,2]} return %y }", "onednn.pool");
}
TEST(CpuPool, Global) {
  for (const char* fn : {"max", "average"})
    for (const char* shape : {"2,32,7,7", "1,5,9,4", "1,6,30", "1,4,3,4,5"})
      check(std::string("graph(%x: f32[") + shape + "]) { %y = global_pool(%x) {fn=" + fn + "} return %y }", "onednn.global_pool");
}
TEST(CpuReduce, Forms) {
  for (const char* fn : {"mean", "max", "sum", "min"})
    for (const char* axes : {"[2,3]", "[3]", "[1]", "[0,2]"})
      for (const char* keep : {"yes", "no"}) {
        const std::string n = std::to_string((std::string(axes).size() - 1) / 2);
        check(std::string("graph(%x: f32[2,16,6,5]) { %axes: i64[") + n + "] = constant " + axes + " %y = reduce(%x, %axes) {fn=" + fn +
              ", keep_dims=" + keep + "} return %y }");
      }
}
TEST(CpuUnary, Functions) {
  for (const char* f : kActivations)
    for (const char* shape : {"2,5,7,3", "1,32,4,4", "1001", ""})
      check(std::string("graph(%x: f32[") + shape + "]) { %y = unary(%x) {f=" + f + "} return %y }", "onednn.unary");
}
TEST(CpuBinary, Broadcasts) {
  struct {
    const char *a, *b;
  } const shapes[] = {{"2,20,5,7", "2,20,5,7"},
                      {"1,32,5,7", "1,32,1,1"},
                      {"1,20,5,7", "1,20,1,1"},
                      {"1,32,1,1", "1,32,5,7"},
                      {"2,3,5,7", "7"},
                      {"2,3,5,7", "1"},
                      {"", ""},
                      {"2,3,5,7", "3,1,1"},
                      {"2,3,4", "1,1,4"},
                      {"3,1", "1,4"},
                      {"9,33", "33"},
                      {"2,20,5,7", "2,20,1,1"}};
  for (const char* fn : {"add", "sub", "mul", "div", "max", "min"})
    for (const auto& s : shapes)
      check(std::string("graph(%a: f32[") + s.a + "], %b: f32[" + s.b + "]) { %y = binary(%a, %b) {fn=" + fn + "} return %y }");
}
TEST(CpuConcat, Forms) {
  check("graph(%a: f32[1,16,5,7], %b: f32[1,32,5,7], %c: f32[1,16,5,7]) { %y = concat(%a, %b, %c) {axis=1} return %y }", "onednn.concat");
  check("graph(%a: f32[1,5,5,7], %b: f32[1,7,5,7]) { %y = concat(%a, %b) {axis=1} return %y }", "onednn.concat");
  check("graph(%a: f32[2,16,5], %b: f32[2,16,3]) { %y = concat(%a, %b) {axis=-1} return %y }", "onednn.concat");
  check("graph(%a: u8[1,16,4,4]{scale=[0.1], zero=[3]}, %b: u8[1,7,4,4]{scale=[0.1], zero=[3]}) { %y = concat(%a, %b) {axis=1} return %y }",
        "onednn.concat");
  check("graph(%a: i32[3], %b: i32[4]) { %y = concat(%a, %b) {axis=0} return %y }", "onednn.concat");
}
TEST(CpuResize, Forms) {
  for (const char* shape : {"2,20,5,7", "1,32,4,4", "1,3,9,6"})
    for (const char* scales : {"2,2", "3,2", "1.5,1", "0.5,0.6", "2.7,1.3"})
      for (const char* mode : {"nearest", "linear"})
        for (const char* coordinates : {"half_pixel", "asymmetric, nearest_mode=floor", "pytorch_half_pixel", "align_corners"})
          check(std::string("graph(%x: f32[") + shape + "]) { %s: f32[4] = constant [1,1," + scales + "] %y = resize(%x, _, %s) {mode=" + mode +
                ", coordinates=" + coordinates + "} return %y }");
  check(
      "graph(%x: f32[1,16,5,5]) { %s: f32[4] = constant [1,1,2,2] %y = resize(%x, _, %s) {mode=nearest, coordinates=asymmetric, nearest_mode=floor} "
      "return %y }",
      "onednn.resize");
  check("graph(%x: f32[1,16,5,5]) { %s: i64[4] = constant [1,16,10,15] %y = resize(%x, _, _, %s) {mode=linear} return %y }", "onednn.resize");
  check("graph(%x: u8[1,16,5,5]{scale=[0.1], zero=[3]}) { %s: f32[4] = constant [1,1,2,2] %y = resize(%x, _, %s) {mode=nearest} return %y }");
}
TEST(CpuQuantize, Forms) {
  for (const char* shape : {"2,20,5,7", "1,32,3,3", "77", "3,20,2"}) {
    for (const char* form :
         {"quant={scale=[0.05], zero=[0]}, dtype=i8", "quant={scale=[0.05], zero=[-5]}, dtype=i8", "quant={scale=[0.0625], zero=[130]}, dtype=u8"})
      check(std::string("graph(%x: f32[") + shape + "]) { %y = quantize(%x) {" + form + "} return %y }", "onednn.quantize");
    for (const char* form : {"i8|{scale=[0.05], zero=[-5]}", "u8|{scale=[0.05], zero=[130]}", "i8|{scale=[0.3], zero=[0]}"}) {
      const std::string f = form;
      check("graph(%x: " + f.substr(0, 2) + "[" + shape + "]" + f.substr(3) + ") { %y = dequantize(%x) return %y }", "onednn.dequantize");
    }
  }
  check("graph(%x: f32[2,3,5,5]) { %y = quantize(%x) {quant={axis=1, scale=[0.05,0.1,0.02], zero=[0]}, dtype=i8} return %y }", "onednn.quantize");
  check("graph(%x: i8[2,3,5,5]{axis=1, scale=[0.05,0.1,0.02], zero=[0]}) { %y = dequantize(%x) return %y }", "onednn.dequantize");
}

TEST(CpuDevice, RefusesWhatItHasNot) {
  EXPECT_THROW(device().allocate(device().memory_bytes() + 1), Error);
  const auto buffer = device().allocate(100);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % 64, 0u);
}

}  // namespace
}  // namespace onecard
