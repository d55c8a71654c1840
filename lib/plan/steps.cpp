#include "lib/plan/steps.h"

#include <algorithm>
#include <map>

namespace onecard {

namespace {

class Builder {
 public:
  Builder(const Graph& graph, const Device& device, int threads) : graph_(graph), device_(device), threads_(threads) {}

  StepList build() {
    for (size_t i = 0; i < graph_.inputs.size(); ++i) add_input(i);
    for (const auto& n : graph_.nodes()) {
      ErrorScope scope(std::string(n.op->name()) + (n.name.empty() ? "" : " '" + n.name + "'"));
      if (is_dynamic(n)) add_dynamic(n);
      else add_node(n);
    }
    require(homeless_.empty(), ErrorKind::model, device_.name(), " has no kernel for: ", homeless_);
    for (size_t i = 0; i < graph_.outputs.size(); ++i) add_output(i);
    return std::move(list_);
  }

 private:
  // A value's contents in one layout. The first entry of a value is what its producer wrote.
  struct Copy {
    Layout layout;
    int buffer;
  };

  // Sums of sizes below stay far from overflow, recomputed values included.
  int add_buffer(Buffer b) {
    constexpr int64_t kMostBytes = int64_t{1} << 60;
    require(b.bytes >= 0 && b.bytes <= kMostBytes - total_bytes_, ErrorKind::does_not_fit, "the values of the network need more than ", kMostBytes, " bytes in all");
    total_bytes_ += b.bytes;
    list_.buffers.push_back(std::move(b));
    return static_cast<int>(list_.buffers.size()) - 1;
  }

  void add_input(size_t i) {
    const Value* v = graph_.inputs[i];
    Buffer b;
    b.value = v->name;
    b.kind = BufferKind::input;
    b.bytes = v->type.is_static() ? v->type.bytes() : 0;
    b.index = static_cast<int64_t>(i);
    copies_[v] = {{nullptr, add_buffer(std::move(b))}};
  }

  int weight(const Value* v, const std::string& key, int64_t bytes, const std::function<void(const Tensor&, void*)>& pack) {
    const auto [it, fresh] = weight_of_.emplace(std::pair(v->constant, key), -1);
    if (!fresh) return it->second;
    Buffer b;
    b.value = v->name;
    b.kind = BufferKind::weight;
    b.bytes = bytes;
    b.index = static_cast<int64_t>(list_.weights.size());
    list_.weights.push_back({v, key, bytes, pack});
    return it->second = add_buffer(std::move(b));
  }
  int plain_weight(const Value* v) { return weight(v, "plain", v->type.is_static() ? v->type.bytes() : 0, nullptr); }

  Layout native_layout(const Value* v) const {
    const auto it = copies_.find(v);
    return it == copies_.end() ? nullptr : it->second.front().layout;
  }

  // The buffer that holds `v` in `layout`; a reorder is added where there is none yet.
  int buffer_in(const Value* v, const Layout& layout) {
    if (v->constant) {
      require(!layout, ErrorKind::internal, "a kernel asks for the constant %", v->name, " in layout ", layout_text(layout), " without packing it");
      return plain_weight(v);
    }
    auto& copies = copies_.at(v);
    for (const auto& c : copies)
      if (same_layout(c.layout, layout)) return c.buffer;
    Buffer b;
    b.value = v->name;
    b.bytes = layout_bytes(layout, v->type);
    b.padding_bytes = b.bytes - v->type.bytes();
    const int to = add_buffer(std::move(b));
    add_reorder(v->type, copies.front().layout, layout, copies.front().buffer, to);
    copies.push_back({layout, to});
    return to;
  }

  void add_reorder(const TensorType& type, const Layout& from, const Layout& to, int in, int out) {
    PlanStep s;
    s.kernel = same_layout(from, to) ? "copy" : "reorder";
    s.step = device_.make_reorder(type, from, to);
    s.in = {in};
    s.out = {out};
    add_workspace(s);
    list_.steps.push_back(std::move(s));
  }

  void add_workspace(PlanStep& s) {
    if (s.step->workspace_bytes <= 0) return;
    Buffer b;
    b.value = s.kernel + " workspace";
    b.bytes = s.step->workspace_bytes;
    s.workspace = add_buffer(std::move(b));
  }

  void add_dynamic(const Node& n) {
    PlanStep s;
    s.node = &n;
    s.kernel = n.op->subgraphs().empty() ? "reference" : std::string(n.op->name());
    s.dynamic = true;
    for (const Value* v : n.inputs) s.in.push_back(v ? buffer_in(v, nullptr) : -1);
    for (const Value* v : n.outputs) {
      Buffer b;
      b.value = v->name;
      b.kind = BufferKind::pool;
      b.bytes = v->type.is_static() ? v->type.bytes() : 0;
      s.out.push_back(add_buffer(std::move(b)));
      copies_[v] = {{nullptr, s.out.back()}};
    }
    list_.steps.push_back(std::move(s));
  }

  void add_node(const Node& n) {
    std::vector<Layout> layouts;
    for (const Value* v : n.inputs) layouts.push_back(v && !v->constant ? native_layout(v) : nullptr);
    const QueryOf q(n, std::move(layouts), threads_);
    Chosen chosen = choose_kernel(device_, q.query);
    if (!chosen.kernel) {
      homeless_ += (homeless_.empty() ? "" : ", ") + std::string(n.op->name()) + " '" + n.name + "'" + (chosen.why_not.empty() ? "" : " (" + chosen.why_not.back() + ")");
      for (const Value* v : n.outputs) copies_[v] = {{nullptr, -1}};
      return;
    }
    PlanStep s;
    s.node = &n;
    s.kernel = chosen.kernel->name();
    s.why_not = std::move(chosen.why_not);
    s.step = std::move(chosen.step);
    for (size_t i = 0; i < n.inputs.size(); ++i) s.in.push_back(input_buffer(n, *s.step, i));
    copy_from_pool(n, s);
    for (size_t i = 0; i < n.outputs.size(); ++i) s.out.push_back(output_buffer(n, s, i));
    add_workspace(s);
    list_.steps.push_back(std::move(s));
  }

  // Memory of the pool has an owner of its own, which nothing planned may share: what would be a view of it is copied.
  void copy_from_pool(const Node& n, PlanStep& s) {
    if (s.step->view_of < 0) return;
    const auto viewed = static_cast<size_t>(s.step->view_of);
    if (list_.buffers[static_cast<size_t>(s.in[viewed])].kind != BufferKind::pool) return;
    s.kernel = "copy";
    s.step = device_.make_reorder(n.inputs[viewed]->type, nullptr, nullptr);
    s.in = {s.in[viewed]};
  }

  int input_buffer(const Node& n, const Step& step, size_t i) {
    const Value* v = n.inputs[i];
    if (!v) return -1;
    if (v->constant)
      for (const auto& w : step.weights)
        if (w.input == i) return weight(v, w.key, w.bytes, w.pack);
    return buffer_in(v, i < step.in_layouts.size() ? step.in_layouts[i] : nullptr);
  }

  int output_buffer(const Node& n, const PlanStep& s, size_t i) {
    const Value* v = n.outputs[i];
    const Layout layout = i < s.step->out_layouts.size() ? s.step->out_layouts[i] : nullptr;
    Buffer b;
    b.value = v->name;
    b.bytes = layout_bytes(layout, v->type);
    b.padding_bytes = b.bytes - v->type.bytes();
    if (s.step->view_of >= 0 && i == 0) {
      const int viewed = s.in[static_cast<size_t>(s.step->view_of)];
      const Buffer& of = list_.buffers[static_cast<size_t>(viewed)];
      b.kind = of.kind;
      b.index = of.index;
      b.alias_of = of.alias_of >= 0 ? of.alias_of : viewed;
    }
    const int buffer = add_buffer(std::move(b));
    copies_[v] = {{layout, buffer}};
    return buffer;
  }

  // The caller's tensor is written by the step that makes the value, where nothing else is in the way; else by a copy at the end.
  void add_output(size_t i) {
    const Value* v = graph_.outputs[i];
    const auto found = copies_.find(v);
    if (found != copies_.end() && list_.buffers[static_cast<size_t>(found->second.front().buffer)].kind == BufferKind::pool) {
      list_.pooled_outputs.push_back(found->second.front().buffer);
      return;
    }
    if (!v->type.is_static() || v->type.dtype == DType::string) return;
    if (found != copies_.end())
      for (const auto& c : found->second) {
        Buffer& b = list_.buffers[static_cast<size_t>(c.buffer)];
        if (c.layout || b.kind != BufferKind::arena || b.alias_of >= 0) continue;
        b.kind = BufferKind::output;
        b.index = static_cast<int64_t>(i);
        for (auto& view : list_.buffers)
          if (view.alias_of == c.buffer) view.kind = BufferKind::output, view.index = b.index;
        return;
      }
    Buffer b;
    b.value = v->name;
    b.kind = BufferKind::output;
    b.bytes = v->type.bytes();
    b.index = static_cast<int64_t>(i);
    const int to = add_buffer(std::move(b));
    if (v->type.bytes() == 0) return;
    if (v->constant) return add_reorder(v->type, nullptr, nullptr, plain_weight(v), to);
    const Copy from = found->second.front();
    add_reorder(v->type, from.layout, nullptr, from.buffer, to);
  }

  const Graph& graph_;
  const Device& device_;
  int threads_;
  StepList list_;
  int64_t total_bytes_ = 0;
  std::map<const Value*, std::vector<Copy>> copies_;  // looked up only, never iterated
  std::map<std::pair<ConstTensor, std::string>, int> weight_of_;
  std::string homeless_;
};

}  // namespace

StepList make_steps(const Graph& graph, const Device& device, int threads) { return Builder(graph, device, threads).build(); }

}  // namespace onecard
