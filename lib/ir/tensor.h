#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lib/ir/type.h"

namespace onecard {

class Tensor;
using ConstTensor = std::shared_ptr<const Tensor>;

// Where the bytes of a constant come from when they are not in memory. load() may be called from several threads.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  virtual void load(std::span<std::byte> into) const = 0;
  // Whether loading costs little (a mapped file) or must decode.
  virtual std::string text() const = 0;
};

// Bytes and their static type: owned (64-byte aligned), a view of somebody's memory, or deferred to a source.
// Strings and sequences hold their elements apart. Move-only; clone() copies. Published constants are shared_ptr<const Tensor>.
class Tensor {
 public:
  Tensor() = default;                                             // no value: an absent optional
  explicit Tensor(TensorType type);                               // owned, zeroed; type must be static
  Tensor(DType dtype, const Dims& dims);
  // A view; `owner` keeps the memory alive and may be null.
  static Tensor view(TensorType type, const void* data, std::shared_ptr<const void> owner = nullptr);
  static Tensor deferred(TensorType type, std::shared_ptr<const TensorSource> source);
  static Tensor sequence(TensorType element_type, std::vector<Tensor> items);
  template <class T>
  static Tensor of(const Dims& dims, const std::vector<T>& values);
  static Tensor strings(const Dims& dims, std::vector<std::string> values);
  template <class T>
  static Tensor scalar(T value) { return of<T>({}, std::vector<T>{value}); }

  ~Tensor();
  Tensor(Tensor&&) noexcept;
  Tensor& operator=(Tensor&&) noexcept;
  Tensor clone() const;                                           // deep, resident
  // The same bytes under another static type of as many bytes (reshape, reinterpretation); shares the storage.
  Tensor alias(TensorType type) const;

  const TensorType& type() const { return type_; }
  DType dtype() const { return type_.dtype; }
  const Dims& dims() const { return dims_; }
  int64_t rank() const { return static_cast<int64_t>(dims_.size()); }
  int64_t elements() const { return elements_; }
  int64_t bytes() const { return storage_bytes(type_.dtype, elements_); }
  bool has_value() const { return has_value_; }
  bool is_deferred() const { return source_ != nullptr; }
  const std::shared_ptr<const TensorSource>& source() const { return source_; }

  const std::byte* raw() const;                                   // raises internal when deferred
  std::byte* raw();
  template <class T>
  std::span<const T> data() const { return {reinterpret_cast<const T*>(raw()), static_cast<size_t>(elements_)}; }
  template <class T>
  std::span<T> data() { return {reinterpret_cast<T*>(raw()), static_cast<size_t>(elements_)}; }
  const std::vector<std::string>& text() const { return *strings_; }
  std::vector<std::string>& text() { return *strings_; }
  const std::vector<Tensor>& items() const { return *items_; }
  std::vector<Tensor>& items() { return *items_; }

  // Element i as a number, any numeric dtype including packed ones; slow and clear.
  double at(int64_t i) const;
  int64_t int_at(int64_t i) const;
  void set(int64_t i, double value);
  void set_int(int64_t i, int64_t value);

 private:
  TensorType type_;
  Dims dims_;
  int64_t elements_ = 0;
  bool has_value_ = false;
  std::byte* data_ = nullptr;
  std::shared_ptr<const void> owner_;
  std::shared_ptr<std::vector<std::string>> strings_;
  std::shared_ptr<std::vector<Tensor>> items_;
  std::shared_ptr<const TensorSource> source_;
};

// Bytes of a boolean tensor that came from outside become 0 or 1: C++ knows no other booleans. Other types stay.
void normalize_booleans(Tensor& t);
// The same constant with its bytes in memory: itself when resident, else loaded now and freed with the last holder.
ConstTensor materialize(const ConstTensor& t);
// All elements as i64 or f64, whatever the stored type.
std::vector<int64_t> to_ints(const Tensor& t);
std::vector<double> to_doubles(const Tensor& t);
// Same type and bytes.
bool identical(const Tensor& a, const Tensor& b);
Tensor convert(const Tensor& t, DType to);                        // numeric cast by ONNX Cast's rules, saturating small floats

template <class T>
Tensor Tensor::of(const Dims& dims, const std::vector<T>& values) {
  Tensor t(DTypeOf<T>::value, dims);
  require(static_cast<size_t>(t.elements()) == values.size(), ErrorKind::internal, "Tensor::of: ", values.size(), " values for ", t.elements(), " elements");
  auto out = t.data<T>();
  for (size_t i = 0; i < values.size(); ++i) out[i] = values[i];
  return t;
}

}  // namespace onecard
