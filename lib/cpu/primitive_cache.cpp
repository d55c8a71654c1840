#include "lib/cpu/primitive_cache.h"

#include <algorithm>
#include <bit>

#include "lib/base/error.h"
#include "lib/base/parallel.h"

namespace onecard {

namespace {

constexpr size_t kMostHeld = 1024;  // descriptors; then all are forgotten

std::string bits_of(float x) { return std::to_string(std::bit_cast<uint32_t>(x)); }

}  // namespace

// Blockings follow the number of threads.
PrimitiveKey::PrimitiveKey(std::string what) : text_(std::move(what) + " threads " + std::to_string(thread_count())) {}

PrimitiveKey& PrimitiveKey::with(const dnnl::memory::desc& desc) {
  text_ += " [";
  // Strides are said too: what compares descriptors leaves out those of extents of 1, by which a product chooses its form.
  if (!desc.is_zero()) with(desc.get_dims());
  if (!desc.is_zero() && desc.get_format_kind() == dnnl::memory::format_kind::blocked) with(desc.get_strides());
  text_ += "]";
  descs_.push_back(desc);
  return *this;
}

PrimitiveKey& PrimitiveKey::with(const dnnl::memory::dims& numbers) {
  text_ += " ";
  for (const auto n : numbers) text_ += std::to_string(n) + ",";
  return *this;
}

PrimitiveKey& PrimitiveKey::with(const dnnl::post_ops& ops) {
  for (int i = 0; i < ops.len(); ++i) {
    dnnl::algorithm algorithm{};
    float scale = 0, beta = 0;
    int32_t zero = 0;
    dnnl::memory::data_type type{};
    dnnl::memory::desc operand;
    switch (ops.kind(i)) {
      case dnnl::primitive::kind::eltwise:
        ops.get_params_eltwise(i, algorithm, scale, beta);
        text_ += " eltwise " + std::to_string(static_cast<int>(algorithm)) + " " + bits_of(scale) + " " + bits_of(beta);
        break;
      case dnnl::primitive::kind::sum:
        ops.get_params_sum(i, scale, zero, type);
        text_ += " sum " + bits_of(scale) + " " + std::to_string(zero) + " " + std::to_string(static_cast<int>(type));
        break;
      case dnnl::primitive::kind::binary:
        ops.get_params_binary(i, algorithm, operand);
        text_ += " binary " + std::to_string(static_cast<int>(algorithm));
        with(operand);
        break;
      default: fail(ErrorKind::internal, "a post-op that has no key");
    }
  }
  return *this;
}

std::any PrimitiveCache::find(const PrimitiveKey& key) {
  const std::lock_guard lock(mutex_);
  const auto [begin, end] = held_.equal_range(key.text());
  for (auto it = begin; it != end; ++it)
    if (it->second.first == key) return it->second.second;
  return {};
}

void PrimitiveCache::keep(const PrimitiveKey& key, std::any desc) {
  const std::lock_guard lock(mutex_);
  const auto [begin, end] = held_.equal_range(key.text());
  if (std::any_of(begin, end, [&](const auto& entry) { return entry.second.first == key; })) return;  // another thread was faster
  if (held_.size() >= kMostHeld) held_.clear();
  held_.emplace(key.text(), std::pair(key, std::move(desc)));
}

}  // namespace onecard
