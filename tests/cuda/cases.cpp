#include "lib/ops/activation.h"
#include "lib/ops/binary.h"
#include "lib/ops/reduce.h"
#include "tests/cuda/kernel_case.h"

namespace onecard {
namespace {

// graph(INPUTS) { %y = CALL return %y }
void add(std::vector<KernelCase>& to, const std::string& kernel, const std::string& inputs, const std::string& call) {
  to.push_back({"graph(" + inputs + ") { " + call + " return %y }", kernel});
}

void elementwise(std::vector<KernelCase>& to) {
  for (const auto name : kFnNames) {
    const std::string f(name);
    if (f == "identity" || f == "logical_not" || f == "bitwise_not") continue;
    const bool two = f == "clip" || f == "selu" || f == "hard_sigmoid" || f == "shrink" || f == "isinf";
    add(to, "cuda.unary", "%x: f32[3,7,11]", "%y = unary(%x) {f=" + f + (two ? "(0.3,0.7)" : "(0.6)") + "}");
  }
  for (const char* f : {"relu", "abs", "neg", "sign", "square"})
    for (const char* t : {"i32", "i64", "i8", "u8"}) add(to, "cuda.unary", std::string("%x: ") + t + "[301]", std::string("%y = unary(%x) {f=") + f + "}");
  add(to, "cuda.unary", "%x: bool[77]", "%y = unary(%x) {f=logical_not}");
  add(to, "cuda.unary", "%x: f32[0,3]", "%y = unary(%x) {f=relu}");
  add(to, "cuda.unary", "%x: i64[19]", "%y = unary(%x) {f=bitwise_not}");
  for (const auto name : kBinaryFnNames) {
    const std::string fn(name);
    const bool logic = fn.starts_with("logical"), whole = fn.starts_with("bitwise") || fn.starts_with("shift");
    for (const std::string t : {"f32", "i32", "i64", "bool"}) {
      if ((t == "bool") != logic || (whole && t == "f32")) continue;
      const std::string call = "%y = binary(%a, %b) {fn=" + fn + "}";
      add(to, "cuda.binary", "%a: " + t + "[5,7,9], %b: " + t + "[5,7,9]", call);
      add(to, "cuda.binary", "%a: " + t + "[2,5,1,9], %b: " + t + "[5,7,1]", fn == "prelu" ? "%y = binary(%a, %b) {fn=mul}" : call);
    }
  }
  add(to, "cuda.binary", "%a: f32[], %b: f32[4,1]", "%y = binary(%a, %b)");
  add(to, "cuda.where", "%c: bool[3,1,5], %a: f32[4,5], %b: f32[3,4,1]", "%y = where(%c, %a, %b)");
  add(to, "cuda.where", "%c: bool[5], %a: i64[5], %b: i64[]", "%y = where(%c, %a, %b)");
  const char* const types[] = {"f32", "f64", "f16", "bf16", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "bool"};
  for (const std::string from : types)
    for (const std::string into : types) add(to, from == into ? "cuda.cast" : "cuda.cast", "%x: " + from + "[41]", "%y = cast(%x) {to=" + into + "}");
}

void movement(std::vector<KernelCase>& to) {
  add(to, "cuda.transpose", "%x: f32[3,5,7]", "%y = transpose(%x)");
  add(to, "cuda.transpose", "%x: i64[2,3,4,5]", "%y = transpose(%x) {perm=[0,2,3,1]}");
  add(to, "cuda.transpose", "%x: u8[2,3,1,5,2]", "%y = transpose(%x) {perm=[4,0,2,1,3]}");
  add(to, "cuda.concat", "%a: f32[2,3,5], %b: f32[2,1,5], %c: f32[2,0,5]", "%y = concat(%a, %b, %c) {axis=1}");
  add(to, "cuda.concat", "%a: f16[3], %b: f16[4]", "%y = concat(%a, %b)");
  add(to, "cuda.split", "%x: f32[3,7]", "%y, %z = split(%x) {axis=1, outputs=2}");
  add(to, "cuda.slice", "%x: f32[5,9,4]", "%s: i64[2] = constant [1,-1] %e: i64[2] = constant [4,-100] %t: i64[2] = constant [0,1] %p: i64[2] = constant [2,-3] %y = slice(%x, %s, %e, %t, %p)");
  add(to, "cuda.expand", "%x: f32[3,1,5]", "%s: i64[4] = constant [2,1,4,1] %y = expand(%x, %s)");
  for (const char* order : {"block_first", "channel_first"}) {
    add(to, "cuda.depth_to_space", "%x: f32[2,12,3,5]", std::string("%y = depth_to_space(%x) {block=2, order=") + order + "}");
    add(to, "cuda.space_to_depth", "%x: f32[2,3,9,6]", std::string("%y = space_to_depth(%x) {block=3, order=") + order + "}");
  }
  add(to, "cuda.resize", "%x: f32[2,3,5,7]", "%s: f32[4] = constant [1,1,2,3] %y = resize(%x, _, %s) {coordinates=asymmetric, nearest_mode=floor}");
  for (const char* mode : {"constant", "edge"})
    add(to, "cuda.pad", "%x: f32[3,5,7]", std::string("%p: i64[6] = constant [1,0,-2,2,3,1] %y = pad(%x, %p) {mode=") + mode + "}");
  add(to, "cuda.pad", "%x: i64[5,3], %v: i64[]", "%p: i64[2] = constant [2,1] %a: i64[1] = constant [-1] %y = pad(%x, %p, %v, %a)");
  add(to, "cuda.gather", "%x: f32[3,5,7]", "%i: i64[2,2] = constant [0,-1,4,2] %y = gather(%x, %i) {axis=1}");
  add(to, "cuda.gather", "%x: u8[6,3]", "%i: i32[] = constant [-6] %y = gather(%x, %i)");
  add(to, "cuda.view", "%x: f32[3,4,5]", "%s: i64[2] = constant [-1,10] %y = reshape(%x, %s)");
  add(to, "cuda.view", "%x: f32[3,4,5]", "%y = flatten(%x) {axis=2}");
  add(to, "cuda.view", "%x: f32[1,4,1]", "%y = squeeze(%x)");
}

void rows(std::vector<KernelCase>& to) {
  for (const char* form : {"plain", "log"})
    for (const char* axis : {"-1", "0", "1"}) add(to, "cuda.softmax", "%x: f32[3,37,5]", std::string("%y = softmax(%x) {axis=") + axis + ", form=" + form + "}");
  add(to, "cuda.softmax", "%x: f32[2,1000]", "%y = softmax(%x)");
  for (const auto name : kReduceFnNames) {
    const std::string fn(name);
    for (const char* axes : {"[1] = constant [-1]", "[2] = constant [0,1]", "[1] = constant [1]", "[3] = constant [0,1,2]"})
      add(to, "cuda.reduce", "%x: f32[3,41,7]", std::string("%a: i64") + axes + " %y = reduce(%x, %a) {fn=" + fn + "}");
  }
  add(to, "cuda.reduce", "%x: f32[3,5]", "%y = reduce(%x) {fn=mean, keep_dims=no}");
  add(to, "cuda.layer_norm", "%x: f32[3,5,67], %s: f32[67], %b: f32[67]", "%y = layer_norm(%x, %s, %b)");
  add(to, "cuda.layer_norm", "%x: f32[3,5,7], %s: f32[5,7]", "%y = layer_norm(%x, %s) {axis=1}");
  add(to, "cuda.batch_norm", "%x: f32[2,3,5,7], %s: f32[3], %b: f32[3], %m: f32[3]", "%v: f32[3] = constant [0.5,1,2] %y = batch_norm(%x, %s, %b, %m, %v)");
  for (const char* fn : {"average", "max", "lp"}) add(to, "cuda.global_pool", "%x: f32[2,3,9,7]", std::string("%y = global_pool(%x) {fn=") + fn + "}");
}

void windows(std::vector<KernelCase>& to) {
  for (const std::string fn : {"max", "average", "average_with_padding", "lp"}) {
    add(to, "cuda.pool", "%x: f32[2,3,11,9]", "%y = pool(%x) {fn=" + fn + ", kernel=[3,2], strides=[2,1], pads=[1,0,1,1]}");
    add(to, "cuda.pool", "%x: f32[1,5,12,12]", "%y = pool(%x) {fn=" + fn + ", kernel=[3,3], strides=[2,2], rounding=up}");
    add(to, "cuda.pool", "%x: f32[2,3,13]", "%y = pool(%x) {fn=" + fn + ", kernel=[3], dilations=[2], auto_pad=same_upper}");
    add(to, "cuda.pool", "%x: f32[1,2,5,6,7]", "%y = pool(%x) {fn=" + fn + ", kernel=[2,2,3]}");
  }
  const auto conv = [&](const std::string& x, const std::string& w, const std::string& outputs, const std::string& fields) {
    add(to, "cuda.conv", "%x: f32[" + x + "], %w: f32[" + w + "], %b: f32[" + outputs + "]", "%y = conv(%x, %w, %b) {" + fields + "}");
  };
  conv("1,3,19,23", "20,3,3,3", "20", "strides=[2,2], pads=[1,1,1,1], activation=relu");
  conv("2,16,7,9", "32,16,1,1", "32", "activation=clip(0,6)");
  conv("1,17,9,5", "13,17,3,3", "13", "pads=[1,1,1,1], activation=gelu");
  conv("2,32,11,11", "32,1,3,3", "32", "pads=[1,1,1,1], group=32, activation=hard_swish");
  conv("1,24,6,6", "48,6,3,3", "48", "pads=[1,1,1,1], group=4");
  conv("1,16,15,15", "16,16,3,3", "16", "dilations=[2,2]");
  conv("1,8,9,10", "8,8,2,3", "8", "pads=[2,1,0,2]");
  conv("1,40,33", "24,40,5", "24", "pads=[2,2]");
  conv("1,4,5,6,7", "8,4,3,3,3", "8", "pads=[1,1,1,1,1,1]");
  conv("1,70,130,130", "140,70,1,1", "140", "");          // large tiles
  conv("3,1,1,1", "1,1,1,1", "1", "");
  for (const std::string f : {"relu", "silu(1)"})
    for (const std::string order : {"before_activation", "after_activation"})
      add(to, "cuda.conv", "%x: f32[1,5,7,7], %w: f32[6,5,3,3], %r: f32[1,6,5,5]", "%y = conv(%x, %w, _, %r) {activation=" + f + ", add_order=" + order + "}");
}

void products(std::vector<KernelCase>& to) {
  const auto matmul = [&](const std::string& inputs, const std::string& call) { add(to, "cuda.matmul", inputs, "%y = matmul(" + call); };
  for (const std::string m : {"1", "65"})
    for (const std::string ta : {"no", "yes"})
      for (const std::string tb : {"no", "yes"}) {
        const std::string a = ta == "no" ? m + ",33" : "33," + m, b = tb == "no" ? "33,67" : "67,33";
        matmul("%a: f32[" + a + "], %b: f32[" + b + "], %c: f32[67]", "%a, %b, %c) {transpose_a=" + ta + ", transpose_b=" + tb + ", alpha=0.5, activation=relu}");
      }
  matmul("%a: f32[2,3,5,7], %b: f32[3,7,4]", "%a, %b)");
  matmul("%a: f32[2,1,17,7], %b: f32[3,7,4]", "%a, %b)");
  matmul("%a: f32[2,9,7], %b: f32[7,130], %c: f32[130], %r: f32[2,9,130]", "%a, %b, %c, %r) {activation=gelu, add_order=after_activation}");
  matmul("%a: f32[2,9,7], %b: f32[7,5], %c: f32[9,1]", "%a, %b, %c)");
  matmul("%a: f32[7], %b: f32[3,7,5]", "%a, %b)");
  matmul("%a: f32[3,5,7], %b: f32[7]", "%a, %b)");
  matmul("%a: f32[7], %b: f32[7]", "%a, %b)");
  matmul("%a: f32[9,0], %b: f32[0,5], %c: f32[5]", "%a, %b, %c)");
  matmul("%a: f32[1500,130], %b: f32[130,1500]", "%a, %b)");  // large tiles
}

}  // namespace

std::vector<KernelCase> cuda_cases() {
  std::vector<KernelCase> cases;
  elementwise(cases);
  movement(cases);
  rows(cases);
  windows(cases);
  products(cases);
  return cases;
}

}  // namespace onecard
