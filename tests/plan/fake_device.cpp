#include "tests/plan/fake_device.h"

#include <algorithm>
#include <cstring>

#include "lib/device/host_device.h"
#include "lib/device/reference_kernel.h"
#include "lib/ops/binary.h"
#include "lib/ops/shape_ops.h"
#include "lib/ops/unary.h"

namespace onecard {
namespace {

constexpr int64_t kPadding = 64;

class Reversed : public LayoutDetail {
 public:
  explicit Reversed(int64_t tensor_bytes) : bytes_(tensor_bytes + kPadding) {}
  bool equals(const LayoutDetail& other) const override { return bytes_ == other.bytes(); }
  int64_t bytes() const override { return bytes_; }
  std::string text() const override { return "reversed"; }

 private:
  int64_t bytes_;
};

// One f32 number at a time, so that a result may overwrite an input.
class Elementwise : public Step {
 public:
  explicit Elementwise(const KernelQuery& q) : op_(q.op.clone()), elements_(element_count(q.out[0].shape.numbers())) {
    in_layouts.resize(q.in.size());
    out_layouts.resize(1);
    for (size_t i = 0; i < q.in.size(); ++i) in_place.emplace_back(0, i);
  }
  void launch(const LaunchArgs& args) const override {
    std::vector<Tensor> in(args.in.size()), out(1);
    std::vector<const Tensor*> pointers;
    for (auto& t : in) {
      t = Tensor(DType::f32, {1});
      pointers.push_back(&t);
    }
    for (int64_t i = 0; i < elements_; ++i) {
      for (size_t k = 0; k < in.size(); ++k) in[k].data<float>()[0] = static_cast<const float*>(args.in[k])[i];
      out[0] = Tensor(DType::f32, {1});
      op_->reference(pointers, out);
      static_cast<float*>(args.out[0])[i] = out[0].data<float>()[0];
    }
  }

 private:
  std::unique_ptr<Op> op_;
  int64_t elements_;
};

class View : public Step {
 public:
  explicit View(size_t inputs) {
    in_layouts.resize(inputs);
    out_layouts.resize(1);
    view_of = 0;
  }
  void launch(const LaunchArgs&) const override { fail(ErrorKind::internal, "a view was launched"); }
};

// Between plain and reversed; equal layouts: a copy.
class Turn : public Step {
 public:
  Turn(int64_t elements, Layout from, Layout to) : elements_(elements) {
    in_layouts = {std::move(from)};
    out_layouts = {std::move(to)};
  }
  void launch(const LaunchArgs& args) const override {
    const auto* in = static_cast<const float*>(args.in[0]) + (in_layouts[0] ? kPadding / 4 : 0);
    auto* out = static_cast<float*>(args.out[0]) + (out_layouts[0] ? kPadding / 4 : 0);
    const bool turned = (in_layouts[0] != nullptr) != (out_layouts[0] != nullptr);
    for (int64_t i = 0; i < elements_; ++i) out[turned ? elements_ - 1 - i : i] = in[i];
  }

 private:
  int64_t elements_;
};

// tanh on reversed elements, with a workspace it fills.
class Tanh : public Step {
 public:
  explicit Tanh(const KernelQuery& q) : elements_(element_count(q.out[0].shape.numbers())) {
    const Layout reversed = std::make_shared<const Reversed>(q.in[0].bytes());
    in_layouts = {reversed};
    out_layouts = {reversed};
    workspace_bytes = 4 * elements_;
    in_place = {{0, 0}};
  }
  void launch(const LaunchArgs& args) const override {
    auto* scratch = static_cast<float*>(args.workspace);
    const auto* in = static_cast<const float*>(args.in[0]) + kPadding / 4;
    for (int64_t i = 0; i < elements_; ++i) scratch[i] = static_cast<float>(std::tanh(static_cast<double>(in[i])));
    std::copy(scratch, scratch + elements_, static_cast<float*>(args.out[0]) + kPadding / 4);
  }

 private:
  int64_t elements_;
};

Support same_f32(const KernelQuery& q) {
  for (const auto& t : q.in)
    if (t.dtype != DType::f32 || !(t.shape == q.out[0].shape)) return no("shapes differ");
  return yes();
}
Support tanh_supports(const Unary& op, const KernelQuery&) { return op.f.fn == Fn::tanh ? yes() : no("only tanh"); }
std::unique_ptr<Step> tanh_prepare(const Unary&, const KernelQuery& q) { return std::make_unique<Tanh>(q); }
template <class O>
Support elementwise_supports(const O&, const KernelQuery& q) { return same_f32(q); }
template <class O>
std::unique_ptr<Step> elementwise_prepare(const O&, const KernelQuery& q) { return std::make_unique<Elementwise>(q); }
Support view_supports(const Reshape&, const KernelQuery&) { return yes(); }
std::unique_ptr<Step> view_prepare(const Reshape&, const KernelQuery& q) { return std::make_unique<View>(q.in.size()); }

class FakeDevice : public HostDevice {
 public:
  FakeDevice() {
    kernels_.push_back(std::make_unique<KernelFor<Unary, tanh_supports, tanh_prepare>>("fake.tanh"));
    kernels_.push_back(std::make_unique<KernelFor<Unary, elementwise_supports<Unary>, elementwise_prepare<Unary>>>("fake.unary"));
    kernels_.push_back(std::make_unique<KernelFor<Binary, elementwise_supports<Binary>, elementwise_prepare<Binary>>>("fake.binary"));
    kernels_.push_back(std::make_unique<KernelFor<Reshape, view_supports, view_prepare>>("fake.view"));
    kernels_.push_back(make_reference_kernel());
  }
  std::string name() const override { return "fake"; }
  std::string description() const override { return "a device for tests"; }
  bool computes(DType) const override { return true; }
  std::span<const std::unique_ptr<Kernel>> kernels() const override { return kernels_; }
  std::unique_ptr<Step> make_reorder(const TensorType& type, const Layout& from, const Layout& to) const override {
    return std::make_unique<Turn>(type.bytes() / 4, from, to);
  }

 private:
  std::vector<std::unique_ptr<Kernel>> kernels_;
};

}  // namespace

std::unique_ptr<Device> make_fake_device() { return std::make_unique<FakeDevice>(); }

std::vector<Tensor> run_plan(const Plan& plan, const Graph& graph, const std::vector<const Tensor*>& inputs) {
  std::vector<std::byte> arena(static_cast<size_t>(plan.arena_bytes), std::byte{0xa5});
  std::vector<Tensor> outputs;
  for (const Value* v : graph.outputs) outputs.emplace_back(v->type);
  std::vector<void*> at(plan.buffers.size(), nullptr);
  for (size_t i = 0; i < at.size(); ++i) {
    const Buffer& b = plan.buffers[i];
    const auto index = static_cast<size_t>(b.index);
    if (b.alias_of >= 0) continue;
    if (b.kind == BufferKind::arena) at[i] = arena.data() + b.offset;
    if (b.kind == BufferKind::input) at[i] = const_cast<std::byte*>(inputs[index]->raw());
    if (b.kind == BufferKind::output) at[i] = outputs[index].raw();
    if (b.kind == BufferKind::weight) at[i] = const_cast<std::byte*>(plan.weights[index].value->constant->raw());
  }
  for (size_t i = 0; i < at.size(); ++i)
    if (plan.buffers[i].alias_of >= 0) at[i] = at[static_cast<size_t>(plan.buffers[i].alias_of)];
  for (const PlanStep& s : plan.steps) {
    if (s.step->view_of >= 0) continue;
    std::vector<const void*> in;
    std::vector<void*> out;
    for (const int b : s.in) in.push_back(b < 0 ? nullptr : at[static_cast<size_t>(b)]);
    for (const int b : s.out) out.push_back(b < 0 ? nullptr : at[static_cast<size_t>(b)]);
    s.step->launch({in, out, s.workspace < 0 ? nullptr : at[static_cast<size_t>(s.workspace)], nullptr});
  }
  return outputs;
}

}  // namespace onecard
