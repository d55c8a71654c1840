#pragma once
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lib/cpu/layout.h"
#include "lib/cpu/primitive_cache.h"
#include "lib/device/kernel.h"

namespace onecard {

// oneDNN's engine, the stream all steps of a device run on, and what was asked of it before.
struct OneDnn {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  mutable PrimitiveCache known;
};
using OneDnnPtr = std::shared_ptr<const OneDnn>;

// One oneDNN primitive over the operands of a node. Filled by a kernel: a descriptor, then what each primitive argument is; `finish`
// compiles the primitive. Scratch memory is the step's workspace.
class OneDnnStep : public Step {
 public:
  OneDnnStep(OneDnnPtr library, size_t inputs, size_t outputs);
  OneDnnStep(OneDnnPtr library, const KernelQuery& q) : OneDnnStep(std::move(library), q.in.size(), q.out.size()) {}
  void launch(const LaunchArgs& args) const override;

  // The primitive to run; its attributes must ask for a user scratchpad.
  void set(const dnnl::primitive_desc_base& desc);
  // Primitive argument `arg` is node input or output number `index`. `asks`: also require the layout (of an output: report it).
  enum class Asks { layout, plain };
  void in(int arg, const dnnl::memory::desc& desc, size_t index, Asks asks = Asks::layout);
  void out(int arg, const dnnl::memory::desc& desc, size_t index = 0, Asks asks = Asks::layout);
  // Argument `arg` is this data, kept by the step: scales, zero points.
  void own(int arg, std::vector<float> values);
  void own(int arg, std::vector<int32_t> values);
  // A constant input read as packed weights.
  void weight(int arg, const dnnl::memory::desc& desc, PackedWeight packed);
  // Before running, output 0 gets the bytes of input `index`, unless it already lies there (a sum into the output).
  void start_from(size_t index, int64_t bytes);
  // What to launch instead of copying when they do not share memory: same layouts and packed weights.
  void apart(std::unique_ptr<OneDnnStep> step);
  void finish();

 private:
  enum class From { input, output, workspace, step };
  struct Argument {
    int arg;
    From from;
    size_t index;
    dnnl::memory memory;
  };
  void add(int arg, From from, size_t index, const dnnl::memory::desc& desc, void* data = nullptr);

  OneDnnPtr library_;
  std::shared_ptr<const dnnl::primitive_desc_base> desc_;
  dnnl::primitive primitive_;
  std::vector<Argument> arguments_;
  mutable std::vector<dnnl_exec_arg_t> call_;
  std::vector<std::unique_ptr<std::vector<float>>> floats_;
  std::vector<std::unique_ptr<std::vector<int32_t>>> ints_;
  int start_from_ = -1;
  int64_t start_bytes_ = 0;
  std::unique_ptr<OneDnnStep> apart_;
};

// What a kernel makes of a node: a step not yet compiled, or why not.
class Built {
 public:
  Built(Support s) : support(std::move(s)) {}
  Built(std::unique_ptr<OneDnnStep> s) : step(std::move(s)) {}
  Support support;
  std::unique_ptr<OneDnnStep> step;
};

// A kernel written as one function that builds or declines, so that both answers come from the same code.
template <class O, Built (*Build)(const O&, const KernelQuery&, const OneDnnPtr&)>
class OneDnnKernel : public Kernel {
 public:
  OneDnnKernel(std::string_view name, OneDnnPtr library) : name_(name), library_(std::move(library)) {}
  std::string_view name() const override { return name_; }
  Support supports(const KernelQuery& q) const override {
    const auto* op = dynamic_cast<const O*>(&q.op);
    return op ? build(*op, q).support : no("other op");
  }
  std::unique_ptr<Step> prepare(const KernelQuery& q) const override {
    Attempt made = attempt(q);
    require(bool(made.support), ErrorKind::internal, name_, ": prepare without support: ", made.support.why_not);
    return std::move(made.step);
  }
  Attempt attempt(const KernelQuery& q) const override {
    const auto* op = dynamic_cast<const O*>(&q.op);
    if (!op) return {no("other op"), nullptr};
    Built built = build(*op, q);
    if (!built.support) return {std::move(built.support), nullptr};
    built.step->finish();
    return {yes(), std::move(built.step)};
  }

 private:
  Built build(const O& op, const KernelQuery& q) const;
  std::string_view name_;
  OneDnnPtr library_;
};

// Whether every operand is a static, non-empty tensor small enough for oneDNN's 32-bit indices.
Support operands_fit(const KernelQuery& q);
// Whether every operand that is there is f32 and not quantized.
Support plain_f32(const KernelQuery& q);

template <class O, Built (*Build)(const O&, const KernelQuery&, const OneDnnPtr&)>
Built OneDnnKernel<O, Build>::build(const O& op, const KernelQuery& q) const {
  if (Support s = operands_fit(q); !s) return s;
  try {
    return Build(op, q, library_);
  } catch (const dnnl::error& e) { return no(std::string("oneDNN: ") + e.what()); }
}

// Attributes with a user scratchpad: all memory is planned.
dnnl::primitive_attr make_attr();
// Whether oneDNN has only its plain C++ loops for this, or nothing at all.
bool is_slow(const dnnl::primitive_desc_base& desc);
// The one scale and zero point of a type quantized per tensor to i8 or u8; none otherwise.
struct PerTensor {
  float scale;
  int32_t zero;
};
std::optional<PerTensor> per_tensor(const TensorType& type);
std::optional<PerTensor> per_tensor(DType dtype, const QuantizationPtr& quant);

// Names a packed form: what made it, the format and all extents.
std::string packed_key(const std::string& what, const dnnl::memory::desc& desc);
// Rearranges plain bytes of `from` into `to`.
void reorder_bytes(const dnnl::memory::desc& from, const void* data, const dnnl::memory::desc& to, void* packed);
// A constant f32 vector or matrix (or integers that stand for one: dequantized when packed), times `factor`, in the format `to`.
PackedWeight pack_f32(size_t input, const TensorType& type, const dnnl::memory::desc& from, const dnnl::memory::desc& to, float factor = 1);

}  // namespace onecard
