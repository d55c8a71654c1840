#pragma once
#include <oneapi/dnnl/dnnl.hpp>
#include <optional>
#include <string>
#include <vector>

#include "lib/device/layout.h"

namespace onecard {

// oneDNN's element type for ours; undef where it has none that our kernels use.
dnnl::memory::data_type dnnl_type(DType t);

// A oneDNN memory format as a layout of the plan. Two are equal when they put every element at the same place, whatever strides they
// name for extents of 1.
class OneDnnLayout : public LayoutDetail {
 public:
  explicit OneDnnLayout(dnnl::memory::desc desc);
  const dnnl::memory::desc& desc() const { return desc_; }
  bool equals(const LayoutDetail& other) const override;
  int64_t bytes() const override { return static_cast<int64_t>(desc_.get_size()); }
  std::string text() const override;

 private:
  dnnl::memory::desc desc_;
  std::string order_;
};

// Null when the elements lie in row-major order without padding.
Layout layout_of(const dnnl::memory::desc& desc);
dnnl::memory::desc plain_desc(const Dims& dims, dnnl::memory::data_type type);
// The descriptor of a value of this static type in this layout.
dnnl::memory::desc desc_of(const TensorType& type, const Layout& layout);
// Channels innermost, of a value of rank 3 to 5.
Layout channels_last(const TensorType& type);
// The format of `like` for another tensor of the same rank; none when it is not one of the formats that activations take.
std::optional<dnnl::memory::desc> same_format(const dnnl::memory::desc& like, const Dims& dims, dnnl::memory::data_type type);
// "nChw16c" for activations of rank 3 to 5, "aBc8b" otherwise; with extents in front this names a packed form: see packed_key.
std::string format_text(const dnnl::memory::desc& desc);

}  // namespace onecard
