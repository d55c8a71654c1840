// Our own kernels for products of bytes, each alone on a device, so that they are tested where oneDNN's would come first too. Scales are
// powers of two: results must equal the definition to the last bit.
#include <gtest/gtest.h>

#include "lib/cpu/vector_targets.h"

#include <hwy/targets.h>

#include "lib/cpu/device.h"
#include "lib/cpu/kernels.h"
#include "tests/cpu/kernel_case.h"

namespace onecard {
namespace {

KernelsAlone& device() {
  static KernelsAlone one(kernel_list(make_conv_depthwise_bytes_kernel(nullptr), make_conv_bytes_kernel(nullptr),
                                      make_conv_transpose_bytes_kernel(nullptr), make_matmul_bytes_kernel(nullptr),
                                      make_matmul_integer_kernel(nullptr), make_conv_integer_kernel(nullptr)));
  return one;
}

enum class Match { exact, close };

void check(const std::string& graph, const std::string& kernel, Match match = Match::exact) {
  for (const Values values : {Values::random, Values::extreme})
    for (const Given given : {Given::plain, Given::channels_last}) {
      SCOPED_TRACE(graph);
      const CaseResult r = run_kernel_case(device(), graph, given, 11, values);
      std::string why;
      for (const auto& line : r.why_not) why += "\n" + line;
      EXPECT_EQ(r.mismatch, "") << r.kernel;
      EXPECT_EQ(r.kernel, kernel) << why;
      if (match == Match::exact) { EXPECT_TRUE(r.exact); }
    }
}

std::string typed(const std::string& type, const std::string& shape) {
  const size_t brace = type.find('{');
  return type.substr(0, brace) + "[" + shape + "]" + (brace == std::string::npos ? "" : type.substr(brace));
}

const char* const kBytes[] = {"u8{scale=[0.125], zero=[0]}",    "u8{scale=[0.125], zero=[255]}", "u8{scale=[0.125], zero=[117]}",
                              "i8{scale=[0.125], zero=[-128]}", "i8{scale=[0.125], zero=[127]}", "i8{scale=[0.125], zero=[0]}"};

struct ConvCase {
  const char *x, *w, *y, *fields;
};
const ConvCase kConvs[] = {
    {"1,3,19,23", "20,3,3,3", "1,20,10,12", "strides=[2,2], pads=[1,1,1,1]"},
    {"2,16,7,9", "32,16,1,1", "2,32,7,9", ""},
    {"1,24,8,8", "40,24,1,1", "1,40,4,4", "strides=[2,2]"},
    {"1,17,9,5", "13,17,3,3", "1,13,9,5", "pads=[1,1,1,1]"},
    {"1,24,6,6", "48,6,3,3", "1,48,6,6", "pads=[1,1,1,1], group=4"},
    {"2,5,15,15", "7,5,3,3", "2,7,13,11", "dilations=[1,2]"},
    {"1,6,15,15", "4,3,3,2", "1,4,7,13", "dilations=[2,3], strides=[2,1], group=2, pads=[1,0,2,1]"},
    {"1,16,9,9", "16,16,3,3", "1,16,5,5", "auto_pad=same_upper, strides=[2,2]"},
    {"1,8,9,10", "8,8,2,3", "1,8,10,11", "pads=[2,1,0,2]"},
    {"1,40,33", "24,40,5", "1,24,33", "pads=[2,2]"},
    {"1,4,5,6,7", "8,4,3,3,3", "1,8,5,6,7", "pads=[1,1,1,1,1,1]"},
    {"3,2,1,1", "1,2,1,1", "3,1,1,1", ""},
    {"1,16,4,4", "8,16,1,1", "1,8,4,4", "strides=[2,2], pads=[2,2,2,2]"},
};
const ConvCase kDepthwise[] = {
    {"1,32,11,11", "32,1,3,3", "1,32,11,11", "pads=[1,1,1,1], group=32"},
    {"2,19,11,9", "19,1,5,5", "2,19,6,5", "pads=[2,2,2,2], group=19, strides=[2,2]"},
    {"1,5,9,9", "5,1,2,3", "1,5,9,6", "pads=[1,1,0,0], group=5, dilations=[1,2]"},
    {"1,7,33", "7,1,5", "1,7,33", "pads=[2,2], group=7"},
    {"1,40,3,4,5", "40,1,1,2,3", "1,40,3,3,3", "group=40"},
};

std::string conv_text(const ConvCase& c, const std::string& x, const std::string& w, const std::string& residual, const std::string& extra) {
  std::string fields = c.fields;
  if (!extra.empty()) fields += (fields.empty() ? "" : ", ") + extra;
  const std::string outputs = std::string(c.w).substr(0, std::string(c.w).find(','));
  return "graph(%x: " + typed(x, c.x) + ", %kw: " + typed(w, c.w) + ", %kb: i32[" + outputs + "]{scale=[0.015625], zero=[0]}" +
         (residual.empty() ? "" : ", %r: " + typed(residual, c.y)) + ") { %y = conv(%x, %kw, %kb" + (residual.empty() ? "" : ", %r") + ") {" +
         fields + "} return %y }";
}

// Every type of x meets some types of w, and over all cases every one.
void check_conv_types(const ConvCase& c, const std::string& kernel) {
  for (size_t i = 0; i < std::size(kBytes); ++i)
    for (const size_t step : {0, 1, 3}) {
      const char *x = kBytes[i], *w = kBytes[(i + step) % std::size(kBytes)];
      if (step != 1) check(conv_text(c, x, w, "", ""), kernel);
      if (step == 0) continue;
      check(conv_text(c, x, w, "", "activation=relu, output={scale=[32], zero=[-7]}, output_dtype=i8"), kernel);
    }
}
void check_conv_ends(const ConvCase& c, const std::string& kernel) {
  for (const char* residual : {"", "f32", "i8{scale=[0.5], zero=[5]}", "u8{scale=[0.5], zero=[77]}"})
    for (const char* order : {"before_activation", "after_activation"})
      for (const char* out : {"", ", output={scale=[16], zero=[0]}, output_dtype=i8", ", output={scale=[64], zero=[101]}, output_dtype=u8"})
        for (const char* f : {"identity", "relu", "clip(-3,6)"})
          check(conv_text(c, kBytes[2], kBytes[4], residual, std::string("activation=") + f + ", add_order=" + order + out), kernel, Match::close);
  for (const char* f : {"silu(1)", "gelu", "gelu_tanh", "mish", "hard_swish", "sigmoid", "tanh", "leaky_relu(0.1)"})
    check(conv_text(c, "i8{scale=[0.001], zero=[3]}", kBytes[5], "f32", std::string("activation=") + f), kernel, Match::close);
}

TEST(ByteConv, GeometryAndTypes) {
  for (const ConvCase& c : kConvs) check_conv_types(c, "cpu.conv_int8");
}
// Sums beyond 2^24, which f32 rounds.
TEST(ByteConv, LongSums) {
  for (const char* x : kBytes)
    check(conv_text({"1,300,3,3", "70,300,3,3", "1,70,3,3", "pads=[1,1,1,1]"}, x, kBytes[3], "", ""), "cpu.conv_int8", Match::close);
}
TEST(ByteConv, Ends) {
  for (const size_t i : {size_t{3}, size_t{1}}) check_conv_ends(kConvs[i], "cpu.conv_int8");
}
TEST(ByteConv, Depthwise) {
  for (const ConvCase& c : kDepthwise) check_conv_types(c, "cpu.conv_depthwise_int8");
  check_conv_ends(kDepthwise[1], "cpu.conv_depthwise_int8");
}
TEST(ByteConv, PerChannel) {
  for (const char* group : {"1", "2"}) {
    const std::string w = std::string(group) == "1" ? "3,4,3,3" : "4,2,3,3", n = w.substr(0, 1);
    const std::string scale = n == "3" ? "[0.5,2,0.125]" : "[0.5,2,0.125,1]", zeros = n == "3" ? "[-128,127,3]" : "[-128,0,127,3]";
    for (const char* x : kBytes)
      check("graph(%x: " + typed(x, "1,4,9,9") + ", %kw: i8[" + w + "]{axis=0, scale=" + scale + ", zero=" + zeros + "}, %kb: f32[" + n +
                "]) { %y = conv(%x, %kw, %kb) {group=" + group + "} return %y }",
            "cpu.conv_int8", Match::close);
  }
  check(
      "graph(%x: u8[1,3,9,9]{scale=[0.5], zero=[9]}, %kw: u8[3,1,3,3]{axis=0, scale=[0.5,2,1], zero=[0,128,255]}) { %y = conv(%x, %kw) {group=3} "
      "return %y }",
      "cpu.conv_depthwise_int8");
}

const struct TransposedCase {
  const char *x, *w, *fields;
  int64_t group = 1;
} kTransposed[] = {
    {"1,24,8,10", "24,24,2,2", "strides=[2,2]"},
    {"2,24,5,7", "24,1,2,2", "strides=[2,2]"},
    {"1,16,6,5", "16,32,3,3", "strides=[2,2], pads=[1,1,1,1], output_padding=[1,1]"},
    {"1,17,7,6", "17,13,3,3", "strides=[2,1], pads=[0,1,2,0]"},
    {"2,5,6,7", "5,7,3,2", "dilations=[2,3], strides=[3,2], pads=[1,0,2,1]"},
    {"1,8,4,4", "8,6,2,2", "strides=[5,4], output_padding=[2,3]"},
    {"1,12,6,6", "12,5,3,3", "strides=[2,2], group=4", 4},
    {"1,8,9,9", "8,1,3,3", "strides=[2,2], group=8", 8},
    {"1,6,2,3,4", "6,20,2,2,2", "strides=[2,2,2], dilations=[2,1,3], group=2", 2},
    {"1,4,3,4,5", "4,8,3,2,3", "strides=[2,1,2], pads=[1,0,2,1,1,0], output_padding=[1,0,1]"},
    {"1,40,33", "40,24,5", "strides=[2], pads=[2,2], output_padding=[1]"},
    {"1,3,140", "3,40,9", "strides=[8], pads=[4,4]"},
    {"1,5,300", "5,3,4", "strides=[2], pads=[300,1], dilations=[5]"},
    {"1,11,2,2", "11,70,2,2", "strides=[2,2]"},
    {"1,3,17,15", "3,2,5,7", "pads=[3,3,3,3]"},
    {"1,4,5,5", "4,3,2,2", "strides=[2,2], pads=[3,4,3,2]"},
    {"1,8,5,6", "8,8,3,3", "auto_pad=same_upper, strides=[2,2]"},
    {"1,8,5,6", "8,8,3,3", "strides=[2,2], output_shape=[12,10]"},
    {"3,2,1,1", "2,1,1,1", ""},
};
std::string transposed_text(const TransposedCase& c, const std::string& x, const std::string& w, const std::string& extra = "") {
  std::string fields = c.fields, kernel = c.w;
  if (!extra.empty()) fields += (fields.empty() ? "" : ", ") + extra;
  kernel = kernel.substr(kernel.find(',') + 1);
  const std::string outputs = std::to_string(std::stoll(kernel) * c.group);
  return "graph(%x: " + typed(x, c.x) + ", %kw: " + typed(w, c.w) + ", %kb: i32[" + outputs +
         "]{scale=[0.015625], zero=[0]}) { %y = conv_transpose(%x, %kw, %kb) {" + fields + "} return %y }";
}
void check_transposed_types(const TransposedCase& c) {
  for (size_t i = 0; i < std::size(kBytes); ++i)
    for (const size_t step : {0, 1, 3}) check(transposed_text(c, kBytes[i], kBytes[(i + step) % std::size(kBytes)]), "cpu.conv_transpose_int8");
}
TEST(ByteConvTranspose, GeometryAndTypes) {
  for (const TransposedCase& c : kTransposed) check_transposed_types(c);
}
TEST(ByteConvTranspose, LongSums) {
  for (const char* x : kBytes)
    check(transposed_text({"1,300,3,5", "300,70,3,3", "strides=[2,2]"}, x, kBytes[3]), "cpu.conv_transpose_int8", Match::close);
}
TEST(ByteConvTranspose, Ends) {
  for (const size_t i : {0, 1, 2, 3, 6})
    for (const char* f : {"relu", "clip(-3,6)", "silu(1)", "gelu", "hard_swish", "sigmoid", "tanh", "leaky_relu(0.1)"})
      check(transposed_text(kTransposed[i], "i8{scale=[0.001], zero=[3]}", kBytes[5], std::string("activation=") + f), "cpu.conv_transpose_int8",
            Match::close);
  check(
      "graph(%x: u8[1,9,4,5]{scale=[0.5], zero=[9]}, %kw: i8[9,6,3,3]{scale=[0.25], zero=[0]}, %kb: f32[6]) { %y = conv_transpose(%x, %kw, %kb) "
      "{strides=[2,2]} return %y }",
      "cpu.conv_transpose_int8", Match::close);
}
// The output channels of w lie along its axis 1, and each group has the same scales.
TEST(ByteConvTranspose, PerChannel) {
  for (const char* group : {"1", "2"})
    for (const char* x : kBytes)
      for (const char* zeros : {"[0]", "[-128,127,3]"})
        check("graph(%x: " + typed(x, "1,4,5,6") + ", %kw: i8[4,3,5,5]{axis=1, scale=[0.5,2,0.125], zero=" + zeros +
                  "}) { %y = conv_transpose(%x, %kw) {strides=[2,2], group=" + group + "} return %y }",
              "cpu.conv_transpose_int8");
}
TEST(ByteConvTranspose, Refuses) {
  const auto why = [&](const char* x, const char* w, const char* name) {
    const auto r = run_kernel_case(
        device(),
        "graph(%x: " + typed(x, "1,4,5,6") + ", %" + name + ": " + typed(w, "4,3,2,2") + ") { %y = conv_transpose(%x, %" + name + ") return %y }",
        Given::plain, 11);
    EXPECT_EQ(r.kernel, "");
    return r.why_not.empty() ? "" : r.why_not.front();
  };
  EXPECT_EQ(why(kBytes[0], kBytes[5], "w"), "cpu.conv_transpose_int8: w is not constant");
  EXPECT_NE(why("f32", kBytes[5], "kw").find("x is not i8 or u8"), std::string::npos);
  EXPECT_NE(why(kBytes[0], "i8{axis=0, scale=[1,2,4,8], zero=[0]}", "kw").find("per tensor or output channel"), std::string::npos);
}

const struct {
  const char *a, *b, *y, *fields;
} kMatMuls[] = {
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
    {"7", "3,7,2", "3,2", ""},
    {"200,96", "96,160", "200,160", ""},
    {"3,1500", "1500,40", "3,40", ""},
    {"45,1501", "1501,19", "45,19", ""},
    {"1,1", "1,1", "1,1", ""},
};
TEST(ByteMatMul, Forms) {
  for (const auto& c : kMatMuls)
    for (const char* a : kBytes)
      for (const char* b : {kBytes[1], kBytes[3], kBytes[5]})
        for (const char* name : {"b", "kb"})
          check("graph(%a: " + typed(a, c.a) + ", %" + name + ": " + typed(b, c.b) + ") { %y = matmul(%a, %" + name + ") {" + c.fields +
                    "} return %y }",
                "cpu.matmul_int8");
}
TEST(ByteMatMul, Ends) {
  for (const char* residual : {"", "f32", "i8{scale=[0.5], zero=[5]}"})
    for (const char* out : {"", ", output={scale=[16], zero=[0]}, output_dtype=i8", ", output={scale=[64], zero=[101]}, output_dtype=u8"})
      for (const char* bias : {"", "9", "1"})
        check(std::string("graph(%a: u8[2,3,5,7]{scale=[0.25], zero=[128]}, %kb: i8[7,9]{scale=[0.5], zero=[0]}") +
                  (*bias ? std::string(", %kbias: f32[") + bias + "]" : "") + (*residual ? ", %r: " + typed(residual, "2,3,5,9") : "") +
                  ") { %y = matmul(%a, %kb, " + (*bias ? "%kbias" : "_") + (*residual ? ", %r" : "") + ") {activation=relu" + out + "} return %y }",
              "cpu.matmul_int8", Match::close);
  check(
      "graph(%a: i8[3,8]{scale=[0.5], zero=[4]}, %kb: i8[4,8]{axis=0, scale=[1,2,4,0.5], zero=[1,-2,0,127]}) { %y = matmul(%a, %kb) "
      "{transpose_b=yes} return %y }",
      "cpu.matmul_int8");
}

// A zero point that no code can stand for keeps the products from taking the codes themselves, whatever the processor has.
TEST(ByteMatMul, FarZeroPoints) {
  for (const char* x : {"u8{scale=[0.125], zero=[300]}", "i8{scale=[0.125], zero=[-129]}"}) {
    check(conv_text(kConvs[0], x, kBytes[1], "", ""), "cpu.conv_int8");
    check(conv_text(kConvs[2], x, kBytes[5], "", ""), "cpu.conv_int8");
    for (const TransposedCase& c : kTransposed) {
      check(transposed_text(c, x, kBytes[1]), "cpu.conv_transpose_int8");
      check(transposed_text(c, kBytes[2], x), "cpu.conv_transpose_int8");
    }
    check("graph(%a: " + typed(x, "13,37") + ", %kb: " + typed(kBytes[3], "37,19") + ") { %y = matmul(%a, %kb) return %y }", "cpu.matmul_int8");
  }
}

// What other processors run: every instruction set this one has, one at a time.
TEST(ByteTargets, AllAgree) {
  const int64_t all = hwy::SupportedTargets();
  for (int64_t left = all; left != 0; left &= left - 1) {
    hwy::GetChosenTarget().Update(left & -left);
    SCOPED_TRACE(hwy::TargetName(left & -left));
    check_conv_types(kConvs[3], "cpu.conv_int8");
    check_conv_types(kDepthwise[1], "cpu.conv_depthwise_int8");
    for (const TransposedCase& c : kTransposed) check_transposed_types(c);
    check("graph(%a: u8[13,37]{scale=[0.5], zero=[9]}, %kb: i8[37,19]{scale=[0.25], zero=[3]}) { %y = matmul(%a, %kb) {activation=relu} return %y }",
          "cpu.matmul_int8");
    check("graph(%a: u8[13,37], %kb: u8[37,19], %za: u8[]) { %y = matmul_integer(%a, %kb, %za) return %y }", "cpu.matmul_integer");
  }
  hwy::GetChosenTarget().Update(all);
}

TEST(ByteIntegerOps, MatMulInteger) {
  for (const char* a : {"u8", "i8"})
    for (const char* b : {"u8", "i8"})
      for (const char* name : {"b", "kb"})
        for (const char* zeros : {"", "a", "ab", "av"}) {
          const std::string z = zeros;
          std::string text = std::string("graph(%a: ") + a + "[2,13,37], %" + name + ": " + b + "[37,21]";
          if (!z.empty()) text += std::string(", %za: ") + a + "[]";
          if (z == "ab") text += std::string(", %zb: ") + b + "[]";
          if (z == "av") text += std::string(", %zb: ") + b + "[21]";
          text += std::string(") { %y = matmul_integer(%a, %") + name + (z.empty() ? "" : ", %za") + (z.size() == 2 ? ", %zb" : "") + ") return %y }";
          check(text, "cpu.matmul_integer");
        }
}
TEST(ByteIntegerOps, ConvInteger) {
  for (const char* x : {"u8", "i8"})
    for (const char* w : {"u8", "i8"})
      for (const char* zeros : {"", "x", "xw", "xv"}) {
        const std::string z = zeros;
        std::string text = std::string("graph(%x: ") + x + "[2,6,9,7], %kw: " + w + "[8,3,3,2]";
        if (!z.empty()) text += std::string(", %zx: ") + x + "[]";
        if (z == "xw") text += std::string(", %zw: ") + w + "[]";
        if (z == "xv") text += std::string(", %zw: ") + w + "[8]";
        text += std::string(") { %y = conv_integer(%x, %kw") + (z.empty() ? "" : ", %zx") + (z.size() == 2 ? ", %zw" : "") +
                ") {group=2, pads=[1,1,0,2], strides=[2,1]} return %y }";
        check(text, "cpu.conv_integer");
      }
}

}  // namespace
}  // namespace onecard
