// Kernels that quantize their operand while they run, each alone on a device.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "lib/cpu/vector_targets.h"

#include <hwy/targets.h>

#include "lib/cpu/device.h"
#include "lib/cpu/kernels.h"
#include "lib/ops/registry.h"
#include "tests/cpu/kernel_case.h"

namespace onecard {
namespace {

KernelsAlone& device() {
  static KernelsAlone one(kernel_list(make_conv_dynamic_kernel(nullptr), make_matmul_dynamic_kernel(nullptr)));
  return one;
}

void check(const std::string& graph, const std::string& kernel) {
  for (const Given given : {Given::plain, Given::channels_last}) {
    SCOPED_TRACE(graph);
    const CaseResult r = run_kernel_case(device(), graph, given, 11);
    std::string why;
    for (const auto& line : r.why_not) why += "\n" + line;
    EXPECT_EQ(r.mismatch, "") << r.kernel;
    EXPECT_EQ(r.kernel, kernel) << why;
  }
}

// Numbers from -128 to 127 steps of `step` in every part: its scale is the step, its zero point 128, and sums times powers of two are exact.
Tensor whole_steps(const TensorType& type, int64_t part, float step) {
  Tensor t(type);
  for (int64_t i = 0; i < t.elements(); ++i) {
    const int64_t at = i % part;
    t.set(i, step * static_cast<float>(at == 0 ? -128 : at == part - 1 ? 127 : (i * 37 + at * at * 11) % 256 - 128));
  }
  return t;
}

// One node on such numbers: every sum must be that of the definition, to the last bit.
void check_sums(const std::string& text, int64_t part) {
  SCOPED_TRACE(text);
  const Graph graph = parse_graph(text);
  const Node& node = graph.nodes().front();
  const Tensor x = whole_steps(node.inputs[0]->type, part, 0.25f), &w = *node.inputs[1]->constant;
  const std::vector<TensorType> in{x.type(), w.type()}, out{node.output()->type};
  const std::vector<ConstTensor> constants{nullptr, node.inputs[1]->constant};
  const std::vector<Layout> layouts(2);
  const KernelQuery q{*node.op, in, out, constants, layouts, 2};
  const Tensor* inputs[] = {&x, &w};
  std::vector<Tensor> want(out.begin(), out.end());
  node.op->reference(inputs, want);
  for (const auto& kernel : device().kernels()) {
    if (!kernel->supports(q)) continue;
    const auto step = kernel->prepare(q);
    std::vector<std::byte> packed(static_cast<size_t>(step->weights.at(0).bytes) + 64), space(static_cast<size_t>(step->workspace_bytes) + 64);
    step->weights[0].pack(w, packed.data());
    const auto moved = [&](const Tensor& t, const Layout& from, const Layout& to) {
      Tensor made(t.type());
      const void* source[] = {t.raw()};
      void* target[] = {made.raw()};
      const auto reorder = device().make_reorder(t.type(), from, to);
      std::vector<std::byte> more(static_cast<size_t>(reorder->workspace_bytes) + 64);
      reorder->launch({source, target, more.data(), nullptr});
      return made;
    };
    const Tensor given = moved(x, nullptr, step->in_layouts[0]);
    Tensor got(out[0]);
    const void* from[] = {given.raw(), packed.data()};
    void* to[] = {got.raw()};
    step->launch({from, to, space.data(), nullptr});
    got = moved(got, step->out_layouts[0], nullptr);
    EXPECT_EQ(std::memcmp(got.raw(), want[0].raw(), static_cast<size_t>(got.bytes())), 0);
    return;
  }
  FAIL() << "no kernel";
}

const char* const kWeights[] = {"i8[%]{scale=[0.5], zero=[0]}", "i8[%]{scale=[0.5], zero=[-7]}", "u8[%]{scale=[0.25], zero=[131]}"};
std::string weight(size_t i, const std::string& shape) {
  std::string text = kWeights[i];
  return text.replace(text.find('%'), 1, shape);
}
std::string codes(int64_t count, bool is_signed) {
  std::string text = "[";
  for (int64_t i = 0; i < count; ++i) text += (i ? "," : "") + std::to_string((i * 53 + i * i % 19) % 256 - (is_signed ? 128 : 0));
  return text + "]";
}

const struct {
  const char *a, *b, *fields;
} kMatMuls[] = {
    {"5,7", "7,9", ""},
    {"1,64", "64,33", ""},
    {"5,7", "9,7", ", transpose_b=yes, alpha=0.5"},
    {"2,3,5,7", "7,9", ""},
    {"2,3,5,7", "3,7,9", ""},
    {"200,96", "96,160", ""},
    {"3,1500", "1500,40", ""},
    {"45,1501", "1501,19", ""},
    {"1,1", "1,1", ""},
    {"17,1000", "1000,5", ", activation=gelu"},
    {"33,70", "70,64", ", activation=relu"},
};
TEST(DynamicMatMul, Forms) {
  for (const auto& c : kMatMuls)
    for (const char* over : {"row", "tensor"})
      for (size_t w = 0; w < std::size(kWeights); ++w)
        for (const char* name : {"b", "kb"})
          check(std::string("graph(%a: f32[") + c.a + "], %" + name + ": " + weight(w, c.b) + ") { %y = matmul(%a, %" + name + ") {dynamic=" + over +
                    c.fields + "} return %y }",
                "cpu.matmul_dynamic");
}
TEST(DynamicMatMul, Ends) {
  for (const char* residual : {"", "f32[2,3,5,9]", "i8[2,3,5,9]{scale=[0.5], zero=[5]}"})
    for (const char* more : {"", ", output={scale=[0.5], zero=[3]}, output_dtype=i8", ", add_order=after_activation"})
      for (const char* bias : {"", "9", "1"})
        check(std::string("graph(%a: f32[2,3,5,7], %kb: i8[7,9]{axis=1, scale=[1,2,4,0.5,1,1,2,0.25,1], zero=[0]}") +
                  (*bias ? std::string(", %kbias: f32[") + bias + "]" : "") + (*residual ? std::string(", %r: ") + residual : "") +
                  ") { %y = matmul(%a, %kb, " + (*bias ? "%kbias" : "_") + (*residual ? ", %r" : "") + ") {dynamic=row, activation=relu" + more +
                  "} return %y }",
              "cpu.matmul_dynamic");
}

const struct {
  const char *x, *w, *fields;
} kConvs[] = {
    {"1,3,19,23", "20,3,3,3", ", strides=[2,2], pads=[1,1,1,1]"},
    {"2,16,7,9", "32,16,1,1", ""},
    {"1,16,4,4", "8,16,1,1", ", strides=[2,2], pads=[2,2,2,2]"},
    {"3,24,6,6", "48,6,3,3", ", pads=[1,1,1,1], group=4"},
    {"2,24,5,5", "8,12,1,1", ", group=2"},
    {"2,5,15,15", "7,5,3,3", ", dilations=[1,2]"},
    {"1,16,9,9", "16,16,3,3", ", auto_pad=same_upper, strides=[2,2]"},
    {"2,40,33", "24,40,5", ", pads=[2,2]"},
    {"1,4,5,6,7", "8,4,3,3,3", ", pads=[1,1,1,1,1,1]"},
    {"3,2,1,1", "1,2,1,1", ""},
    {"2,64,40,30", "32,64,1,1", ", activation=silu(1)"},
};
TEST(DynamicConv, Forms) {
  for (const auto& c : kConvs)
    for (const char* over : {"image", "tensor"})
      for (size_t w = 0; w < std::size(kWeights); ++w)
        check(std::string("graph(%x: f32[") + c.x + "], %kw: " + weight(w, c.w) + ", %kb: f32[" +
                  std::string(c.w).substr(0, std::string(c.w).find(',')) + "]) { %y = conv(%x, %kw, %kb) {dynamic=" + over + c.fields +
                  "} return %y }",
              "cpu.conv_dynamic");
  for (const char* residual : {"f32[2,6,5,5]", "u8[2,6,5,5]{scale=[0.5], zero=[77]}"})
    check(std::string("graph(%x: f32[2,4,5,5], %kw: i8[6,4,1,1]{axis=0, scale=[1,2,0.5,1,1,1], zero=[0]}, %kb: f32[6], %r: ") + residual +
              ") { %y = conv(%x, %kw, %kb, %r) {dynamic=image, activation=relu} return %y }",
          "cpu.conv_dynamic");
}

void check_all_sums() {
  for (const bool is_signed : {true, false}) {
    const std::string type = is_signed ? "i8" : "u8", quant = is_signed ? "{scale=[0.5], zero=[3]}" : "{scale=[0.5], zero=[120]}";
    const auto matmul = [&](const std::string& a, const std::string& b, int64_t count, const std::string& dynamic) {
      return "graph(%a: f32[" + a + "]) { %b: " + type + "[" + b + "]" + quant + " = constant " + codes(count, is_signed) +
             " %y = matmul(%a, %b) {dynamic=" + dynamic + "} return %y }";
    };
    check_sums(matmul("29,300", "300,37", 300 * 37, "row"), 300);
    check_sums(matmul("3,5,64", "64,33", 64 * 33, "row"), 64);
    check_sums(matmul("7,41", "41,70", 41 * 70, "tensor"), 7 * 41);
    const auto conv = [&](const std::string& x, const std::string& w, int64_t count, const std::string& fields) {
      return "graph(%x: f32[" + x + "]) { %w: " + type + "[" + w + "]" + quant + " = constant " + codes(count, is_signed) + " %y = conv(%x, %w) {" +
             fields + "} return %y }";
    };
    check_sums(conv("2,9,7,8", "12,9,3,3", 12 * 81, "pads=[1,1,1,1], dynamic=image"), 9 * 56);
    check_sums(conv("2,20,7,8", "12,20,1,1", 240, "dynamic=tensor"), 2 * 20 * 56);
    check_sums(conv("1,8,9,9", "6,4,2,3", 144, "strides=[2,1], group=2, dynamic=image"), 8 * 81);
  }
}
TEST(DynamicSums, AreTheDefinitionsOnEveryInstructionSet) {
  const int64_t all = hwy::SupportedTargets();
  for (int64_t left = all; left != 0; left &= left - 1) {
    hwy::GetChosenTarget().Update(left & -left);
    SCOPED_TRACE(hwy::TargetName(left & -left));
    check_all_sums();
    check("graph(%a: f32[13,37], %kb: i8[37,19]{scale=[0.25], zero=[3]}) { %y = matmul(%a, %kb) {dynamic=row, activation=relu} return %y }",
          "cpu.matmul_dynamic");
  }
  hwy::GetChosenTarget().Update(all);
}

// What oneDNN's float kernels would answer otherwise.
TEST(DynamicLayers, AreNoFloatLayers) {
  const auto cpu = make_cpu_device(0);
  EXPECT_EQ(run_kernel_case(*cpu, "graph(%a: f32[4,8], %kb: i8[8,6]{scale=[0.5], zero=[0]}) { %y = matmul(%a, %kb) {dynamic=row} return %y }",
                            Given::plain, 3)
                .kernel,
            "cpu.matmul_dynamic");
  EXPECT_EQ(run_kernel_case(*cpu, "graph(%x: f32[1,4,5,5], %kw: i8[6,4,3,3]{scale=[0.5], zero=[0]}) { %y = conv(%x, %kw) {dynamic=image} return %y }",
                            Given::plain, 3)
                .kernel,
            "cpu.conv_dynamic");
}

}  // namespace
}  // namespace onecard
