#pragma once
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/ir/dim.h"
#include "lib/ir/dtype.h"

namespace onecard {

// The extents of one concrete tensor.
using Dims = std::vector<int64_t>;

// Product of extents; raises model when it does not fit 63 bits or an extent is negative.
int64_t element_count(const Dims& dims);
// Bytes of so many elements, packed types rounded up. Strings count 0.
int64_t storage_bytes(DType dtype, int64_t elements);
std::vector<int64_t> row_major_strides(const Dims& dims);

// Extents that may be symbolic; the rank itself may be unknown.
class Shape {
 public:
  Shape() = default;  // rank 0
  Shape(std::vector<Dim> dims) : dims_(std::move(dims)) {}
  Shape(std::initializer_list<Dim> dims) : dims_(dims) {}
  static Shape of(const Dims& dims) { return Shape(std::vector<Dim>(dims.begin(), dims.end())); }
  static Shape unranked();
  static Shape unknown(int64_t rank) { return Shape(std::vector<Dim>(static_cast<size_t>(rank), Dim::unknown())); }

  bool has_rank() const { return !unranked_; }
  int64_t rank() const;  // raises internal when unknown
  const std::vector<Dim>& dims() const { return dims_; }
  const Dim& operator[](int64_t axis) const { return dims_[static_cast<size_t>(axis)]; }
  Dim& operator[](int64_t axis) { return dims_[static_cast<size_t>(axis)]; }
  bool is_static() const;  // every extent is a number
  Dims numbers() const;    // raises internal unless is_static()
  Dim elements() const;    // product
  Shape bind(const SymbolValues& values) const;
  std::string text() const;  // "[1,batch,?]", "[*]" when unranked
  bool operator==(const Shape&) const = default;

 private:
  std::vector<Dim> dims_;
  bool unranked_ = false;
};
std::ostream& operator<<(std::ostream& out, const Shape& s);  // its text, likewise

// How stored integers stand for real numbers: real = (stored - zero_point) * scale. One scale, or one per index of `axis`, or per
// `block` indices of it (block > 0).
struct Quantization {
  std::vector<float> scale{1.0f};
  std::vector<int32_t> zero_point{0};  // one, or as many as scales
  int64_t axis = -1;                   // -1: per tensor
  int64_t block = 0;
  int32_t zero_at(size_t i) const { return zero_point.size() == 1 ? zero_point[0] : zero_point[i]; }
  bool operator==(const Quantization&) const = default;
};
using QuantizationPtr = std::shared_ptr<const Quantization>;

enum class Container : uint8_t { none /* an absent optional input */, tensor, sequence, optional, optional_sequence };

// What may flow through a value: element type, shape, and for quantized values what the integers mean.
struct TensorType {
  DType dtype = DType::f32;
  Shape shape;
  QuantizationPtr quant;
  Container container = Container::tensor;  // for sequences dtype and shape are the elements'

  TensorType() = default;
  TensorType(DType t, Shape s, QuantizationPtr q = nullptr) : dtype(t), shape(std::move(s)), quant(std::move(q)) {}
  bool is_static() const { return container == Container::tensor && shape.is_static(); }
  int64_t bytes() const;     // of a static tensor
  std::string text() const;  // "f32[1,3]", "i8[4,3]{axis=0, scale=[0.5,0.25,…], zero=[0]}", "seq f32[?]"
  bool operator==(const TensorType& o) const;
};
std::ostream& operator<<(std::ostream& out, const TensorType& t);

}  // namespace onecard
