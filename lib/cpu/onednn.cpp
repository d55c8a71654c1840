#include "lib/cpu/onednn.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "lib/base/parallel.h"
#include "lib/ops/quantize.h"

namespace onecard {

using dnnl::memory;

OneDnnStep::OneDnnStep(OneDnnPtr library, size_t inputs, size_t outputs) : library_(std::move(library)) {
  in_layouts.resize(inputs);
  out_layouts.resize(outputs);
}

void OneDnnStep::add(int arg, From from, size_t index, const memory::desc& desc, void* data) {
  arguments_.push_back({arg, from, index, memory(desc, library_->engine, data)});
}

void OneDnnStep::set(const dnnl::primitive_desc_base& desc) {
  desc_ = std::make_shared<const dnnl::primitive_desc_base>(desc);
  const memory::desc scratch = desc.query_md(dnnl::query::exec_arg_md, DNNL_ARG_SCRATCHPAD);
  workspace_bytes = static_cast<int64_t>(scratch.get_size());
  if (workspace_bytes > 0) add(DNNL_ARG_SCRATCHPAD, From::workspace, 0, scratch);
}

void OneDnnStep::in(int arg, const memory::desc& desc, size_t index, Asks asks) {
  add(arg, From::input, index, desc);
  if (asks == Asks::layout) in_layouts[index] = layout_of(desc);
}

void OneDnnStep::out(int arg, const memory::desc& desc, size_t index, Asks asks) {
  add(arg, From::output, index, desc);
  if (asks == Asks::layout) out_layouts[index] = layout_of(desc);
}

void OneDnnStep::own(int arg, std::vector<float> values) {
  floats_.push_back(std::make_unique<std::vector<float>>(std::move(values)));
  auto& kept = *floats_.back();
  add(arg, From::step, 0, plain_desc({static_cast<int64_t>(kept.size())}, memory::data_type::f32), kept.data());
}

void OneDnnStep::own(int arg, std::vector<int32_t> values) {
  ints_.push_back(std::make_unique<std::vector<int32_t>>(std::move(values)));
  auto& kept = *ints_.back();
  add(arg, From::step, 0, plain_desc({static_cast<int64_t>(kept.size())}, memory::data_type::s32), kept.data());
}

void OneDnnStep::weight(int arg, const memory::desc& desc, PackedWeight packed) {
  add(arg, From::input, packed.input, desc);
  if (packed.pack) weights.push_back(std::move(packed));
}

void OneDnnStep::start_from(size_t index, int64_t bytes) {
  start_from_ = static_cast<int>(index);
  start_bytes_ = bytes;
  in_place.push_back({0, index});
}

void OneDnnStep::apart(std::unique_ptr<OneDnnStep> step) {
  workspace_bytes = std::max(workspace_bytes, step->workspace_bytes);
  apart_ = std::move(step);
}

void OneDnnStep::finish() {
  if (apart_) apart_->finish();
  primitive_ = dnnl::primitive(desc_->get());
  for (const Argument& a : arguments_) call_.push_back({a.arg, a.memory.get()});
}

void OneDnnStep::launch(const LaunchArgs& args) const {
  if (start_from_ >= 0 && args.out[0] != args.in[static_cast<size_t>(start_from_)]) {
    if (apart_) return apart_->launch(args);
    auto* to = static_cast<char*>(args.out[0]);
    const auto* from = static_cast<const char*>(args.in[static_cast<size_t>(start_from_)]);
    parallel_for(start_bytes_, int64_t{1} << 18,
                 [&](int64_t begin, int64_t end) { std::memcpy(to + begin, from + begin, static_cast<size_t>(end - begin)); });
  }
  for (const Argument& a : arguments_) {
    if (a.from == From::step) continue;
    void* data = a.from == From::input ? const_cast<void*>(args.in[a.index]) : a.from == From::output ? args.out[a.index] : args.workspace;
    a.memory.set_data_handle(data);
  }
  const dnnl_status_t status = dnnl_primitive_execute(primitive_.get(), library_->stream.get(), static_cast<int>(call_.size()), call_.data());
  require(status == dnnl_success, ErrorKind::internal, "oneDNN cannot run its primitive: status ", static_cast<int>(status));
}

Support operands_fit(const KernelQuery& q) {
  for (const auto& types : {q.in, q.out})
    for (const TensorType& t : types) {
      if (t.container == Container::none) continue;
      if (!t.is_static()) return no("needs static tensors, got " + t.text());
      const Dims dims = t.shape.numbers();
      const int64_t elements = element_count(dims);
      if (elements == 0) return no("empty tensor " + t.text());
      if (elements > std::numeric_limits<int32_t>::max()) return no("too large for oneDNN's 32-bit indices: " + t.text());
      if (dims.size() > 12) return no("more axes than oneDNN's 12");
    }
  return yes();
}

Support plain_f32(const KernelQuery& q) {
  for (const auto& types : {q.in, q.out})
    for (const TensorType& t : types)
      if (t.container != Container::none && (t.dtype != DType::f32 || t.quant)) return no("not f32: " + t.text());
  return yes();
}

dnnl::primitive_attr make_attr() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

bool is_slow(const dnnl::primitive_desc_base& desc) {
  if (!desc) return true;
  return std::string_view(desc.impl_info_str()).starts_with("ref");
}

std::optional<PerTensor> per_tensor(DType dtype, const QuantizationPtr& quant) {
  if (!quant || (dtype != DType::i8 && dtype != DType::u8)) return std::nullopt;
  if (quant->scale.size() != 1 || quant->zero_point.size() != 1 || quant->block != 0) return std::nullopt;
  return PerTensor{quant->scale[0], quant->zero_point[0]};
}

std::optional<PerTensor> per_tensor(const TensorType& type) { return per_tensor(type.dtype, type.quant); }

std::string packed_key(const std::string& what, const memory::desc& desc) {
  std::string key = what + " " + format_text(desc) + " type" + std::to_string(static_cast<int>(desc.get_data_type())) + " ";
  for (const auto d : desc.get_dims()) key += std::to_string(d) + ",";
  for (const auto s : desc.get_strides()) key += "/" + std::to_string(s);
  return key + " " + std::to_string(desc.get_size());
}

void reorder_bytes(const memory::desc& from, const void* data, const memory::desc& to, void* packed) {
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  memory source(from, engine, const_cast<void*>(data)), target(to, engine, packed);
  dnnl::reorder(source, target).execute(stream, source, target);
  stream.wait();
}

PackedWeight pack_f32(size_t input, const TensorType& type, const memory::desc& from, const memory::desc& to, float factor) {
  PackedWeight packed;
  packed.input = input;
  packed.bytes = static_cast<int64_t>(to.get_size());
  const bool quantized = type.quant != nullptr;
  if (!quantized && factor == 1 && from == to) {
    packed.key = "plain";
    return packed;
  }
  packed.key = packed_key("f32 x" + std::to_string(std::bit_cast<uint32_t>(factor)), to);
  for (const auto s : from.get_strides()) packed.key += "|" + std::to_string(s);
  packed.pack = [from, to, quantized, factor](const Tensor& plain, void* data) {
    if (!quantized && factor == 1) return reorder_bytes(from, plain.raw(), to, data);
    Tensor floats = quantized ? dequantize_tensor(plain) : plain.clone();
    if (factor != 1)
      for (float& v : floats.data<float>()) v *= factor;
    reorder_bytes(from, floats.raw(), to, data);
  };
  return packed;
}

}  // namespace onecard
