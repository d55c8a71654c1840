#pragma once
#include <cstring>

#include "lib/ops/axes.h"
#include "lib/ops/registry.h"

namespace onecard {

// Tensors longer than this are never followed element by element while shapes are inferred.
constexpr int64_t kContentsLimit = 1024;
// More axes than any real tensor has; a hostile shape input does not make larger ranks.
constexpr int64_t kRankLimit = 64;

// Copies runs of elements between two tensors of one dtype, whatever their storage: whole bytes, packed bits or strings.
class ElementCopier {
 public:
  ElementCopier(const Tensor& from, Tensor& to);
  void operator()(int64_t from, int64_t to, int64_t count = 1) const {
    if (bytes_ == 0) return copy_slowly(from, to, count);
    if (count > 0 && source_ + from * bytes_ != target_ + to * bytes_) std::memcpy(target_ + to * bytes_, source_ + from * bytes_, static_cast<size_t>(count * bytes_));
  }

 private:
  void copy_slowly(int64_t from, int64_t to, int64_t count) const;
  const Tensor* from_;
  Tensor* to_;
  const std::byte* source_ = nullptr;
  std::byte* target_ = nullptr;
  int64_t bytes_ = 0;                                 // per element; 0: packed or strings
};

// All elements of x, in order, into y of as many.
void copy_all(const Tensor& x, Tensor& y);
// Writes element `index` of `value` (null: zero, or the empty string) `count` times from `at` on.
void fill_elements(Tensor& to, int64_t at, int64_t count, const Tensor* value, int64_t index = 0);
// The output tensor of a reference: as it came when allocated, else allocated now; raises model when it came with other extents.
Tensor& allocated(Tensor& out, DType dtype, const Dims& dims, const QuantizationPtr& quant = nullptr);
// Gives a computed result to an output that may have come allocated.
void deliver(Tensor& out, Tensor result);

// Axes counted from either end as indices below `rank`, in their order; raises model on one out of range or named twice.
std::vector<int64_t> axis_indices(const std::vector<int64_t>& axes, int64_t rank);
// Product of the extents [begin, end).
int64_t extent_product(const Dims& dims, int64_t begin, int64_t end);
// The extent of two that must agree; raises model when they surely differ.
Dim agreed(const Dim& a, const Dim& b);
// Number, or the value when it is a number; raises model on a negative one.
Dim checked_extent(const Dim& d);
// The number of integers a one-dimensional input holds (a scalar: 1), when known and within kRankLimit.
std::optional<int64_t> known_length(const Shape& list);
// The quantization of a value made of x's elements in other places; raises model when x is quantized per axis.
QuantizationPtr moved_quant(const TensorType& x);
// The one quantization of values whose elements are mixed; raises model when they differ or are per axis.
QuantizationPtr shared_quant(const TensorType& a, const TensorType& b);
// An input that must be a tensor (no sequence or optional); raises model.
const TensorType& tensor_type(const InferContext& in, size_t i);
// The integer list that older opsets give as attribute `key` and newer ones as input `i`, as an input; null when absent.
Value* list_input(const OnnxNode& node, std::string_view key, size_t i);
// One integer, as a constant scalar or list.
Value* int_list(const OnnxNode& node, const std::vector<int64_t>& values);

// Extents that concrete shapes broadcast to; raises model.
Dims broadcast_dims(const Dims& a, const Dims& b);

}  // namespace onecard
