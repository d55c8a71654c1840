#include "tests/cpu/kernel_case.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <sstream>

#include "lib/cpu/device.h"
#include "lib/cpu/layout.h"
#include "lib/ir/nonzeros.h"
#include "lib/ops/registry.h"

namespace onecard {

KernelsAlone::KernelsAlone(std::vector<std::unique_ptr<Kernel>> kernels) : cpu_(make_cpu_device(0)), kernels_(std::move(kernels)) {}

namespace {

constexpr int64_t kGuardBytes = 256;
constexpr unsigned char kGuard = 0xa5;

// 64-byte aligned bytes between guards; starts as NaN patterns so that what a kernel forgets to write shows.
class Guarded {
 public:
  explicit Guarded(int64_t bytes) : bytes_(bytes), storage_(static_cast<size_t>(bytes + 2 * kGuardBytes + 64), kGuard) {
    const auto at = reinterpret_cast<uintptr_t>(storage_.data()) + kGuardBytes;
    begin_ = storage_.data() + kGuardBytes + (64 - at % 64) % 64;
    std::memset(begin_, 0xff, static_cast<size_t>(bytes));
  }
  unsigned char* data() { return begin_; }
  bool intact() const {
    const auto is_guard = [](unsigned char c) { return c == kGuard; };
    return std::all_of(storage_.data(), static_cast<const unsigned char*>(begin_), is_guard) &&
           std::all_of(static_cast<const unsigned char*>(begin_) + bytes_, storage_.data() + storage_.size(), is_guard);
  }

 private:
  int64_t bytes_;
  std::vector<unsigned char> storage_;
  unsigned char* begin_;
};
using GuardedPtr = std::shared_ptr<Guarded>;

class KeptBytes : public TensorSource, public KnowsNonzeros {
 public:
  explicit KeptBytes(const Tensor& t) : bytes_(t.raw(), t.raw() + t.bytes()) {
    for (int64_t i = 0; i < t.elements(); ++i) nonzeros_ += t.at(i) != 0;
  }
  void load(std::span<std::byte> into) const override { std::memcpy(into.data(), bytes_.data(), into.size()); }
  std::string text() const override { return "test"; }
  std::optional<int64_t> nonzeros(int64_t) const override { return nonzeros_; }

 private:
  std::vector<std::byte> bytes_;
  int64_t nonzeros_ = 0;
};

Tensor extreme_tensor(const TensorType& type, std::mt19937& rng) {
  Tensor t(type);
  const int64_t low = type.dtype == DType::u8 ? 0 : -128, high = low + 255;
  const int64_t choices[] = {low, high, high, low, 0};
  const auto most = rng() % 5;  // mostly one of them: sums grow as large as they can
  for (int64_t i = 0; i < t.elements(); ++i) t.set_int(i, choices[rng() % 4 ? most : rng() % 5]);
  return t;
}

Tensor random_tensor(const TensorType& type, std::mt19937& rng) {
  Tensor t(type);
  std::normal_distribution<float> normal;
  for (int64_t i = 0; i < t.elements(); ++i) {
    if (is_float(t.dtype())) t.set(i, normal(rng));
    else if (t.dtype() == DType::boolean) t.set_int(i, static_cast<int64_t>(rng() % 2));
    else if (t.dtype() == DType::u8) t.set_int(i, static_cast<int64_t>(rng() % 256));
    else if (t.dtype() == DType::i8) t.set_int(i, static_cast<int64_t>(rng() % 256) - 128);
    else if (t.dtype() == DType::i4) t.set_int(i, static_cast<int64_t>(rng() % 16) - 8);
    else t.set_int(i, static_cast<int64_t>(rng() % 20001) - 10000);
  }
  return t;
}

void clear_most(Tensor& t, std::mt19937& rng) {
  const int64_t whole = t.rank() > 0 ? 2 * t.elements() / t.dims()[0] : 0;
  for (int64_t i = 0; i < t.elements(); ++i)
    if (i < whole || rng() % 8 < 5) t.set(i, 0);
}

Layout given_layout(const TensorType& type, Given given) {
  using tag = dnnl::memory::format_tag;
  const int64_t rank = type.shape.rank();
  if (given == Given::plain || rank < 3 || rank > 5 || dnnl_type(type.dtype) == dnnl::memory::data_type::undef) return nullptr;
  constexpr tag kBlocked[] = {tag::nCw16c, tag::nChw16c, tag::nCdhw16c}, kLast[] = {tag::nwc, tag::nhwc, tag::ndhwc};
  const auto* tags = given == Given::blocked ? kBlocked : kLast;
  return layout_of(dnnl::memory::desc(type.shape.numbers(), dnnl_type(type.dtype), tags[rank - 3]));
}

// One node with all that is needed to run it again and again.
struct Run {
  Device& device;
  const Node& node;
  std::vector<TensorType> in_types, out_types;
  std::vector<Tensor> inputs, expected;
  std::vector<ConstTensor> constants;
  std::unique_ptr<Step> step;
  std::string broken;

  GuardedPtr reordered(const TensorType& type, const Layout& from, const Layout& to, void* data) {
    auto made = std::make_shared<Guarded>(layout_bytes(to, type));
    if (same_layout(from, to)) {
      std::memcpy(made->data(), data, static_cast<size_t>(layout_bytes(to, type)));
      return made;
    }
    const auto reorder = device.make_reorder(type, from, to);
    Guarded workspace(reorder->workspace_bytes);
    const void* in[] = {data};
    void* out[] = {made->data()};
    reorder->launch({in, out, workspace.data(), nullptr});
    if (!made->intact() || !workspace.intact()) broken = "a reorder wrote outside its buffer";
    return made;
  }

  // Packs, reorders, launches, and brings the outputs back to plain.
  std::vector<GuardedPtr> once(const std::pair<size_t, size_t>* in_place) {
    std::vector<GuardedPtr> in(in_types.size()), out;
    for (size_t i = 0; i < in.size(); ++i) {
      if (in_types[i].container == Container::none) continue;
      const auto packed = std::find_if(step->weights.begin(), step->weights.end(), [&](const PackedWeight& w) { return w.input == i; });
      if (packed != step->weights.end() && packed->pack) {
        in[i] = std::make_shared<Guarded>(packed->bytes);
        packed->pack(inputs[i], in[i]->data());
      } else {
        in[i] = reordered(in_types[i], nullptr, step->in_layouts[i], inputs[i].raw());
      }
    }
    std::vector<const void*> in_pointers;
    std::vector<void*> out_pointers;
    for (const auto& g : in) in_pointers.push_back(g ? g->data() : nullptr);
    for (size_t i = 0; i < out_types.size(); ++i) {
      const bool shares = in_place && in_place->first == i;
      out.push_back(shares ? in[in_place->second] : std::make_shared<Guarded>(layout_bytes(step->out_layouts[i], out_types[i])));
      out_pointers.push_back(out.back()->data());
    }
    Guarded workspace(step->workspace_bytes);
    if (step->view_of >= 0) std::memcpy(out_pointers[0], in_pointers[static_cast<size_t>(step->view_of)], static_cast<size_t>(out_types[0].bytes()));
    else step->launch({in_pointers, out_pointers, workspace.data(), nullptr});
    if (!workspace.intact()) broken = "wrote outside the workspace";
    for (size_t i = 0; i < out.size(); ++i) {
      if (!out[i]->intact()) broken = "wrote outside an output";
      out[i] = reordered(out_types[i], step->out_layouts[i], nullptr, out[i]->data());
    }
    return out;
  }
};

// f32 by relative and absolute error; stored integers may differ by one where the real number lies near a half.
std::string compare(const Tensor& want, const Tensor& got) {
  int64_t off_by_one = 0;
  for (int64_t i = 0; i < want.elements(); ++i) {
    const double w = want.at(i), g = got.at(i), error = std::abs(w - g);
    if (w == g || (std::isnan(w) && std::isnan(g))) continue;
    if (want.dtype() != DType::f32 && error <= 1) {
      ++off_by_one;
      continue;
    }
    if (want.dtype() == DType::f32 && error <= 2e-4 + 1e-4 * std::abs(w)) continue;
    std::ostringstream out;
    out << "element " << i << " of " << want.type().text() << " is " << g << ", expected " << w;
    return out.str();
  }
  if (off_by_one > 2 + want.elements() / 100)
    return std::to_string(off_by_one) + " of " + std::to_string(want.elements()) + " stored integers are off by one";
  return {};
}

std::string layouts_text(const std::vector<Layout>& layouts) {
  std::string text;
  for (const Layout& l : layouts) text += (text.empty() ? "" : " ") + layout_text(l);
  return text;
}

void compute_expected(Run& run) {
  std::vector<const Tensor*> pointers;
  for (size_t i = 0; i < run.inputs.size(); ++i) pointers.push_back(run.in_types[i].container == Container::none ? nullptr : &run.inputs[i]);
  for (const TensorType& t : run.out_types) run.expected.emplace_back(t);
  run.node.op->reference(pointers, run.expected);
}

}  // namespace

CaseResult run_kernel_case(Device& device, const std::string& graph_text, Given given, uint32_t seed, Values values) {
  const Graph graph = parse_graph(graph_text);
  const Node& node = graph.nodes().front();
  std::mt19937 rng(seed);
  Run run{device, node, {}, {}, {}, {}, {}, nullptr, {}};
  std::vector<Layout> layouts;
  for (const Value* v : node.inputs) {
    TensorType absent;
    absent.container = Container::none;
    run.in_types.push_back(v ? v->type : absent);
    const bool extreme = v && values == Values::extreme && (v->type.dtype == DType::i8 || v->type.dtype == DType::u8);
    run.inputs.push_back(!v ? Tensor() : v->constant ? v->constant->clone() : extreme ? extreme_tensor(v->type, rng) : random_tensor(v->type, rng));
    const bool constant = v && v->name[0] == 'k';
    if (constant && values == Values::sparse && v->type.shape.rank() == 2) clear_most(run.inputs.back(), rng);
    run.constants.push_back(v && v->constant ? v->constant
                            : constant ? std::make_shared<const Tensor>(Tensor::deferred(v->type, std::make_shared<KeptBytes>(run.inputs.back())))
                                       : nullptr);
    layouts.push_back(v && !run.constants.back() ? given_layout(v->type, given) : nullptr);
  }
  for (const Value* v : node.outputs) run.out_types.push_back(v->type);
  const KernelQuery q{*node.op, run.in_types, run.out_types, run.constants, layouts, 2};
  CaseResult result;
  for (const auto& kernel : device.kernels()) {
    const Support support = kernel->supports(q);
    if (!support) {
      if (support.why_not != "other op") result.why_not.push_back(std::string(kernel->name()) + ": " + support.why_not);
      continue;
    }
    result.kernel = kernel->name();
    run.step = kernel->prepare(q);
    break;
  }
  if (!run.step) {
    result.mismatch = "no kernel";
    return result;
  }
  result.in_layouts = layouts_text(run.step->in_layouts);
  result.out_layouts = layouts_text(run.step->out_layouts);
  compute_expected(run);
  std::vector<const std::pair<size_t, size_t>*> ways{nullptr};
  for (const auto& pair : run.step->in_place) ways.push_back(&pair);
  for (const auto* way : ways) {
    const auto got = run.once(way);
    for (size_t i = 0; i < got.size() && result.mismatch.empty(); ++i) {
      const Tensor made = Tensor::view(run.out_types[i], got[i]->data());
      result.mismatch = compare(run.expected[i], made);
      result.exact = result.exact && std::memcmp(made.raw(), run.expected[i].raw(), static_cast<size_t>(made.bytes())) == 0;
      if (!result.mismatch.empty() && way) result.mismatch += " (in place of input " + std::to_string(way->second) + ")";
    }
    if (result.mismatch.empty()) result.mismatch = run.broken;
  }
  return result;
}

}  // namespace onecard
