// The kernels of our own against the definitions of their ops.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "lib/cpu/device.h"
#include "lib/cpu/float_rows.h"
#include "lib/cpu/gemm.h"
#include "tests/cpu/kernel_case.h"

namespace onecard {
namespace {

using std::string;

Device& device() {
  static const std::unique_ptr<Device> cpu = make_cpu_device(0);
  return *cpu;
}

// `kernel`: who must take it; empty: anybody but the reference.
void check(const string& graph, const string& kernel) {
  SCOPED_TRACE(graph);
  const CaseResult r = run_kernel_case(device(), graph, Given::plain, 11);
  EXPECT_EQ(r.mismatch, "") << r.kernel;
  string why;
  for (const auto& w : r.why_not) why += "\n  " + w;
  if (kernel.empty()) {
    EXPECT_NE(r.kernel, "reference") << why;
  } else {
    EXPECT_EQ(r.kernel, kernel) << why;
  }
}

TEST(OwnMovement, Transpose) {
  struct {
    const char *shape, *perm;
  } const cases[] = {{"2,3,4", "[0,2,1]"},         {"5,7", "[1,0]"},         {"33,65", "[1,0]"},     {"2,5,3,16", "[0,2,1,3]"},
                     {"4,1,6", "[1,0,2]"},         {"2,3,4,5", "[3,2,1,0]"}, {"70,40,3", "[2,1,0]"}, {"0,3", "[1,0]"},
                     {"2,3,4,5,2", "[4,0,3,1,2]"}, {"130,2,36", "[2,1,0]"},  {"8,128,4", "[1,0,2]"}, {"1,32,1,64", "[0,3,2,1]"}};
  for (const auto& c : cases)
    for (const char* t : {"f32", "u8", "i64", "f16"})
      check(string("graph(%x: ") + t + "[" + c.shape + "]) { %y = transpose(%x) {perm=" + c.perm + "} return %y }", "cpu.transpose");
  check("graph(%x: f32[3,5,7]) { %y = transpose(%x) return %y }", "cpu.transpose");
  check("graph(%x: f32[]) { %y = transpose(%x) return %y }", "cpu.transpose");
  check("graph(%x: i8[3,5]{axis=0, scale=[0.1,0.2,0.3], zero=[0]}) { %y = transpose(%x) {perm=[1,0]} return %y }", "cpu.transpose");
}

TEST(OwnMovement, Slice) {
  const auto slice = [](const string& type, const char* starts, const char* ends, const char* axes, const char* steps) {
    const string n = std::to_string(std::count(starts, starts + std::strlen(starts), ',') + 1);
    return "graph(%x: " + type + ") { %a: i64[" + n + "] = constant [" + starts + "] %b: i64[" + n + "] = constant [" + ends + "] %c: i64[" + n +
           "] = constant [" + axes + "] %d: i64[" + n + "] = constant [" + steps + "] %y = slice(%x, %a, %b, %c, %d) return %y }";
  };
  for (const char* type : {"f32[6,7,9]", "u8[6,7,9]", "i64[6,7,9]", "f16[6,7,9]"}) {
    check(slice(type, "1", "5", "0", "1"), "cpu.slice");
    check(slice(type, "1,2", "5,9", "1,2", "2,3"), "cpu.slice");
    check(slice(type, "-1", "-100", "2", "-1"), "cpu.slice");
    check(slice(type, "5,6", "0,-9", "0,1", "-2,-3"), "cpu.slice");
    check(slice(type, "3", "3", "1", "1"), "cpu.slice");
    check(slice(type, "0", "99", "1", "1"), "cpu.slice");
    check(slice(type, "1", "2", "2", "9223372036854775807"), "cpu.slice");
  }
}

TEST(OwnMovement, SplitAndConcat) {
  for (const char* t : {"f32", "u8", "i64", "boolean"}) {
    const string x = t == string("boolean") ? "bool" : t;
    check("graph(%x: " + x + "[2,7,3]) { %s: i64[3] = constant [2,0,5] %a, %b, %c = split(%x, %s) {axis=1, outputs=3} return %a, %b, %c }",
          "cpu.split");
    check("graph(%x: " + x + "[2,6]) { %a, %b = split(%x) {axis=-1, outputs=2} return %a, %b }", "cpu.split");
    check("graph(%a: " + x + "[2,3,5], %b: " + x + "[2,0,5], %c: " + x + "[2,4,5]) { %y = concat(%a, %b, %c) {axis=1} return %y }", "cpu.concat");
    check("graph(%a: " + x + "[3,1], %b: " + x + "[3,1]) { %y = concat(%a, %b) {axis=-1} return %y }", "");
  }
}

TEST(OwnMovement, GatherAndExpand) {
  for (const char* t : {"f32", "u8", "i64", "f16"})
    for (const char* index : {"i64", "i32"}) {
      const string x = string("graph(%x: ") + t, i = string(") { %i: ") + index;
      check(x + "[5,7,3]" + i + "[4] = constant [0,-1,3,-5] %y = gather(%x, %i) {axis=0} return %y }", "cpu.gather");
      check(x + "[5,7,3]" + i + "[2,2] = constant [0,-1,6,-7] %y = gather(%x, %i) {axis=1} return %y }", "cpu.gather");
      check(x + "[5,7,3]" + i + "[] = constant [2] %y = gather(%x, %i) {axis=-1} return %y }", "cpu.gather");
      check(x + "[5,0]" + i + "[2] = constant [1,1] %y = gather(%x, %i) {axis=0} return %y }", "cpu.gather");
    }
  EXPECT_THROW(run_kernel_case(device(), "graph(%x: f32[5]) { %i: i64[1] = constant [5] %y = gather(%x, %i) return %y }", Given::plain, 1), Error);
  for (const char* t : {"f32", "u8", "i64"})
    for (const char* shape : {"3,1,5", "1,4,1", "1,1,1", "5", "4,5", "", "3,4,5"})
      check(string("graph(%x: ") + t + "[" + shape + "]) { %s: i64[3] = constant [3,4,5] %y = expand(%x, %s) return %y }", "cpu.expand");
  check("graph(%x: f32[2,1,3]) { %r: i64[3] = constant [2,3,2] %y = tile(%x, %r) return %y }", "cpu.tile");
  check("graph(%x: i64[2,3]) { %r: i64[2] = constant [0,2] %y = tile(%x, %r) return %y }", "cpu.tile");
}

TEST(OwnMovement, Pad) {
  for (const char* mode : {"constant", "reflect", "edge", "wrap"})
    for (const char* pads : {"0,1,2,0,2,1", "1,0,0,1,0,0", "0,-1,2,0,-1,-2", "0,0,0,0,0,0", "2,3,4,2,3,4"})
      for (const char* t : {"f32", "u8", "i64"})
        check(string("graph(%x: ") + t + "[3,4,5]) { %p: i64[6] = constant [" + pads + "] %y = pad(%x, %p) {mode=" + mode + "} return %y }",
              "cpu.pad");
  check(
      "graph(%x: f32[2,3,4]) { %p: i64[2] = constant [1,2] %v: f32[] = constant [-inf] %a: i64[1] = constant [-1] %y = pad(%x, %p, %v, %a) return %y "
      "}",
      "cpu.pad");
  check("graph(%x: f32[0,3]) { %p: i64[4] = constant [1,1,2,0] %v: f32[] = constant [5] %y = pad(%x, %p, %v) return %y }", "cpu.pad");
}

TEST(OwnMovement, WhereCastAndTheRest) {
  for (const char* t : {"f32", "u8", "i64", "f16"})
    for (const char* shapes : {"2,3,4|2,3,4|2,3,4", "1,1,4|2,3,4|", "2,3,4||2,3,4", "2,1,4|3,1|1,1,4", "|2,3|2,1", "2,3,4|4|2,1,1", "0,3|3|1"}) {
      const string s = shapes;
      const size_t a = s.find('|'), b = s.rfind('|');
      check("graph(%c: bool[" + s.substr(0, a) + "], %x: " + t + "[" + s.substr(a + 1, b - a - 1) + "], %z: " + t + "[" + s.substr(b + 1) +
                "]) { %y = where(%c, %x, %z) return %y }",
            "cpu.where");
    }
  for (const char* from : {"f32", "f64", "i32", "i64", "i8", "u8", "bool"})
    for (const char* to : {"f32", "f64", "i32", "i64", "i8", "u8", "bool"})
      check(string("graph(%x: ") + from + "[3,37]) { %y = cast(%x) {to=" + to + "} return %y }", from == string(to) ? "cpu.view" : "cpu.cast");
  check("graph() { %x: f32[6] = constant [nan,inf,-inf,3e10,-1.5,2.5] %y = cast(%x) {to=i32} return %y }", "cpu.cast");
  check("graph(%x: f16[37]) { %y = cast(%x) {to=f32} return %y }", "cpu.cast");
  for (const char* order : {"block_first", "channel_first"})
    for (const char* t : {"f32", "u8", "i64"}) {
      check(string("graph(%x: ") + t + "[2,12,3,5]) { %y = depth_to_space(%x) {block=2, order=" + order + "} return %y }", "cpu.depth_to_space");
      check(string("graph(%x: ") + t + "[2,3,6,9]) { %y = space_to_depth(%x) {block=3, order=" + order + "} return %y }", "cpu.space_to_depth");
    }
  for (const char* triangle : {"lower", "upper"})
    for (const char* k : {"0", "2", "-3", "99", "-99"})
      check(string("graph(%x: f32[2,5,7]) { %k: i64[] = constant [") + k + "] %y = trilu(%x, %k) {triangle=" + triangle + "} return %y }",
            "cpu.trilu");
  check("graph(%x: f32[2,6]) { %s: i64[2] = constant [3,-1] %y = reshape(%x, %s) return %y }", "cpu.view");
  check("graph(%x: i64[2,1,6]) { %y = squeeze(%x) return %y }", "cpu.view");
  check("graph(%x: f32[2,3,6]) { %y = flatten(%x) return %y }", "cpu.view");
  check("graph(%x: bool[2,3,6]) { %y = unary(%x) return %y }", "cpu.view");
}

TEST(OwnElementwise, UnaryFunctions) {
  for (const char* f : {"erf", "sin", "cos", "tan", "atan", "sinh", "cosh", "asinh", "floor", "ceil", "sign", "reciprocal", "softsign",
                        "thresholded_relu(0.3)", "selu(1.67,1.05)", "celu(0.5)", "shrink(0.5,0.2)"})
    for (const char* shape : {"1001", "3,5", "", "0,3"})
      check(string("graph(%x: f32[") + shape + "]) { %y = unary(%x) {f=" + f + "} return %y }", "cpu.unary");
  const string odd = "graph() { %x: f32[9] = constant [nan,inf,-inf,0,-0.0,0.5,-1,1,1e-40] %y = unary(%x) {f=";
  for (const char* f : {"erf",
                        "sin",
                        "asin",
                        "acos",
                        "atan",
                        "acosh",
                        "atanh",
                        "floor",
                        "ceil",
                        "sign",
                        "reciprocal",
                        "softsign",
                        "thresholded_relu(0.3)",
                        "selu(1.67,1.05)",
                        "celu(0.5)",
                        "shrink(0.5,0.2)",
                        "isnan",
                        "isinf(1,1)",
                        "isinf(0,1)",
                        "isinf(1,0)"})
    check(odd + f + "} return %y }", "cpu.unary");
  for (const char* t : {"i64", "i32", "i8", "u8"})
    for (const char* f : {"abs", "neg", "relu", "sign", "square", "bitwise_not"})
      check(string("graph(%x: ") + t + "[77]) { %y = unary(%x) {f=" + f + "} return %y }", "cpu.unary");
  check("graph(%x: bool[77]) { %y = unary(%x) {f=logical_not} return %y }", "cpu.unary");
}

// Largest relative error against double over [-range, range].
double worst(Fn fn, double range) {
  double most = 0;
  const Activation f{fn, 1, 0};
  for (int i = -200000; i <= 200000; ++i) {
    const float x = static_cast<float>(range * i / 200000);
    float xs[16], ys[16];
    std::fill_n(xs, 16, x);
    float_unary_row(fn)(xs, ys, 16, 1, 0);
    const double want = apply(f, static_cast<double>(x));
    if (std::abs(want) > 1e-37) most = std::max(most, std::abs(static_cast<double>(ys[0]) - want) / std::abs(want));
  }
  return most;
}
TEST(OwnElementwise, Accuracy) {
  EXPECT_LE(worst(Fn::exp, 86), 2e-7);
  EXPECT_LE(worst(Fn::tanh, 12), 2e-7);
  EXPECT_LE(worst(Fn::sigmoid, 80), 2.5e-7);
  EXPECT_LE(worst(Fn::erf, 5), 2e-7);
}

TEST(OwnElementwise, BinaryFunctions) {
  struct {
    const char *a, *b;
  } const shapes[] = {{"2,3,5,7", "2,3,5,7"}, {"3,1", "1,4"},         {"2,1,5,1", "3,1,7"}, {"", "3,4"}, {"5", ""},
                      {"1,7", "2,3,5,7"},     {"2,3,1,1", "2,3,5,7"}, {"0,3", "3"},         {"", ""},    {"4,1,33", "4,9,33"}};
  for (const auto& s : shapes) {
    const auto text = [&](const string& type, const char* fn) {
      return "graph(%a: " + type + "[" + s.a + "], %b: " + type + "[" + s.b + "]) { %y = binary(%a, %b) {fn=" + fn + "} return %y }";
    };
    for (const char* fn : {"add", "sub", "mul", "div", "pow", "max", "min", "mod", "fmod", "equal", "less", "less_equal", "greater", "greater_equal"})
      check(text("f32", fn), "");
    for (const char* type : {"i64", "i32", "u8", "i8"})
      for (const char* fn :
           {"add", "sub", "mul", "div", "max", "min", "mod", "fmod", "equal", "less", "greater_equal", "bitwise_and", "bitwise_or", "bitwise_xor"})
        check(text(type, fn), "cpu.binary");
    for (const char* fn : {"add", "sub", "mul", "div", "max", "min", "less"}) check(text("f64", fn), "cpu.binary");
    for (const char* fn : {"logical_and", "logical_or", "logical_xor", "equal"}) check(text("bool", fn), "cpu.binary");
  }
  for (const char* slope : {"2,3,5,7", "3,1,1", "7", ""})
    check(string("graph(%a: f32[2,3,5,7], %b: f32[") + slope + "]) { %y = binary(%a, %b) {fn=prelu} return %y }", "cpu.binary");
  const string odd =
      "graph() { %a: f32[8] = constant [nan,1,inf,-inf,0,-0.0,-8,4] %b: f32[8] = constant [1,nan,-inf,inf,2,3,3,0.5] %c: f32[1] = constant [0.5] ";
  for (const char* fn : {"max", "min", "pow", "mod", "fmod", "prelu", "less", "equal"})
    check(odd + "%y = binary(%a, %b) {fn=" + fn + "} return %y }", "");
  check(odd + "%y = binary(%a, %c) {fn=pow} return %y }", "cpu.binary");
}

TEST(OwnReduce, AnyAxes) {
  for (const char* fn : {"sum", "mean", "max", "min", "prod", "l1", "l2", "sum_square"})
    for (const char* axes : {"[0]", "[1]", "[2]", "[3]", "[0,1]", "[0,2]", "[1,3]", "[0,1,2]", "[0,1,2,3]", "[-1,-2]"})
      for (const char* keep : {"yes", "no"}) {
        const string n = std::to_string(std::count(axes, axes + std::strlen(axes), ',') + 1);
        check(string("graph(%x: f32[3,5,4,300]) { %axes: i64[") + n + "] = constant " + axes + " %y = reduce(%x, %axes) {fn=" + fn +
                  ", keep_dims=" + keep + "} return %y }",
              "");
      }
  check("graph(%x: f32[3,5]) { %y = reduce(%x) {fn=l1} return %y }", "cpu.reduce");
  check("graph(%x: f32[3,5]) { %y = reduce(%x) {fn=sum, when_no_axes=nothing} return %y }", "cpu.reduce");
  check(
      "graph() { %x: f32[2,9] = constant [1,2,nan,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9] %a: i64[1] = constant [0] %y = reduce(%x, %a) {fn=max} return %y }",
      "");
  check("graph() { %x: f32[1,9] = constant [nan,2,3,4,5,6,7,8,9] %a: i64[2] = constant [0,1] %y = reduce(%x, %a) {fn=l1} return %y }", "cpu.reduce");
}

TEST(OwnNorms, Rows) {
  check("graph(%x: f32[2,5,48], %ks: f32[48]) { %y = rms_norm(%x, %ks) return %y }", "cpu.rms_norm");
  check("graph(%x: f32[2,5,7], %ks: f32[5,7]) { %y = rms_norm(%x, %ks) {axis=1} return %y }", "cpu.rms_norm");
}

TEST(OwnAttention, Forms) {
  for (const char* layout : {"tokens_first", "width_first"})
    for (const char* bias : {"", "2,1,1,259", "1,1,70,259", "2,3,70,259", "259", "1,3,70,1"}) {
      const string k = layout == string("tokens_first") ? "259,20" : "20,259";
      string text = "graph(%q: f32[2,3,70,20], %k: f32[2,3," + k + "], %v: f32[2,3,259,33]";
      if (*bias) text += string(", %m: f32[") + bias + "]";
      text += string(") { %y = attention(%q, %k, %v") + (*bias ? ", %m" : "") + ") {scale=0.3, key_layout=" + layout + "} return %y }";
      check(text, "cpu.attention");
    }
  check("graph(%q: f32[128,64], %k: f32[256,64], %v: f32[256,64]) { %y = attention(%q, %k, %v) {scale=0.125} return %y }", "cpu.attention");
  check("graph(%q: f32[1,2,200,16], %k: f32[1,2,300,16], %v: f32[1,2,300,64]) { %y = attention(%q, %k, %v) {scale=0.25} return %y }",
        "cpu.attention");
}
TEST(OwnAttention, Masked) {
  // A row without any key has no weights: NaN, as in its parts.
  for (const char* first : {"-inf", "1"}) {
    string mask = first;
    for (int i = 1; i < 131; ++i) mask += i % 3 && *first == '1' ? ",0.5" : ",-inf";
    check("graph(%q: f32[1,1,65,4], %k: f32[1,1,131,4], %v: f32[1,1,131,5]) { %m: f32[1,131] = constant [" + mask +
              "] %y = attention(%q, %k, %v, %m) return %y }",
          "cpu.attention");
  }
}

TEST(OwnRecurrent, Forms) {
  for (const char* direction : {"forward", "reverse", "bidirectional"})
    for (const char* layout : {"time_first", "batch_first"})
      for (const int batch : {1, 3}) {
        const string d = direction == string("bidirectional") ? "2" : "1", b = std::to_string(batch),
                     last = string("direction=") + direction + ", layout=" + layout;
        const bool first = layout == string("batch_first");
        const string x = first ? b + ",6,5" : "6," + b + ",5", state = first ? b + "," + d + ",19" : d + "," + b + ",19";
        const string lstm = "graph(%x: f32[" + x + "], %kw: f32[" + d + ",76,5], %kr: f32[" + d + ",76,19], %kb: f32[" + d + ",152], %h: f32[" +
                            state + "], %c: f32[" + state + "]) { ";
        check(lstm + "%y, %a, %z = lstm(%x, %kw, %kr, %kb, _, %h, %c) {" + last + "} return %y, %a, %z }", "cpu.lstm");
        check(lstm + "%y, %a, %z = lstm(%x, %kw, %kr) {" + last + "} return %y, %a, %z }", "cpu.lstm");
        const string gru =
            "graph(%x: f32[" + x + "], %kw: f32[" + d + ",57,5], %kr: f32[" + d + ",57,19], %kb: f32[" + d + ",114], %h: f32[" + state + "]) { ";
        for (const char* reset : {"before_linear", "after_linear"}) {
          check(gru + "%y, %a = gru(%x, %kw, %kr, %kb, _, %h) {reset_gate=" + reset + ", " + last + "} return %y, %a }", "cpu.gru");
          check(gru + "%y, %a = gru(%x, %kw, %kr) {reset_gate=" + reset + ", " + last + "} return %y, %a }", "cpu.gru");
        }
      }
}

TEST(OwnRecurrent, SequencesThatEndEarlier) {
  for (const char* direction : {"forward", "reverse", "bidirectional"})
    for (const char* layout : {"time_first", "batch_first"}) {
      const string d = direction == string("bidirectional") ? "2" : "1", last = string("direction=") + direction + ", layout=" + layout;
      const bool first = layout == string("batch_first");
      const string x = first ? "4,6,5" : "6,4,5", state = first ? "4," + d + ",19" : d + ",4,19", lens = "%l: i32[4] = constant [4, 0, 6, 1] ";
      check("graph(%x: f32[" + x + "], %kw: f32[" + d + ",76,5], %kr: f32[" + d + ",76,19], %kb: f32[" + d + ",152], %h: f32[" + state +
                "], %c: f32[" + state + "]) { " + lens + "%y, %a, %z = lstm(%x, %kw, %kr, %kb, %l, %h, %c) {" + last + "} return %y, %a, %z }",
            "cpu.lstm");
      for (const char* reset : {"before_linear", "after_linear"})
        check("graph(%x: f32[" + x + "], %kw: f32[" + d + ",57,5], %kr: f32[" + d + ",57,19], %kb: f32[" + d + ",114]) { " + lens +
                  "%y, %a = gru(%x, %kw, %kr, %kb, %l) {reset_gate=" + reset + ", " + last + "} return %y, %a }",
              "cpu.gru");
    }
}

TEST(OwnProduct, EveryEdge) {
  std::mt19937 rng(3);
  std::normal_distribution<float> normal;
  for (int64_t m = 1; m <= 27; ++m)
    for (const int64_t n : {1, 15, 16, 17, 31, 32, 33, 64, 65, 129, 130})
      for (const int64_t k : {1, 7, 40}) {
        std::vector<float> a(static_cast<size_t>(m * k)), b(static_cast<size_t>(k * n)), packed(static_cast<size_t>(packed_floats(k, n))),
            c(static_cast<size_t>(m * n), 1);
        for (float& v : a) v = normal(rng);
        for (float& v : b) v = normal(rng);
        pack_columns(b.data(), n, 1, k, n, packed.data());
        multiply(a.data(), k, m, k, packed.data(), n, c.data(), n, Into::add);
        for (int64_t i = 0; i < m * n; ++i) {
          double want = 1;
          for (int64_t j = 0; j < k; ++j)
            want += static_cast<double>(a[static_cast<size_t>(i / n * k + j)]) * static_cast<double>(b[static_cast<size_t>(j * n + i % n)]);
          ASSERT_NEAR(c[static_cast<size_t>(i)], want, 1e-4) << m << "x" << k << "x" << n << " at " << i;
        }
      }
}

}  // namespace
}  // namespace onecard
