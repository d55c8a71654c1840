#pragma once
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <string_view>
#include <tuple>
#include <variant>

#include "lib/base/error.h"
#include "lib/ir/tensor.h"

namespace onecard {

class Graph;
struct Node;
class TextReader;
using GraphPtr = std::shared_ptr<const Graph>;

// What is known of one input while shapes are inferred.
struct InputInfo {
  TensorType type;                                    // container none: the optional input is absent
  ConstTensor constant;                               // null unless known now; may be deferred
  std::optional<std::vector<Dim>> contents;           // elements of a small integer tensor, as far as known
};

// The inputs of an op under inference.
class InferContext {
 public:
  explicit InferContext(std::span<const InputInfo> inputs) : inputs_(inputs) {}
  size_t size() const { return inputs_.size(); }
  bool has(size_t i) const { return i < inputs_.size() && inputs_[i].type.container != Container::none; }
  const TensorType& type(size_t i) const;             // raises model when absent
  const Shape& shape(size_t i) const { return type(i).shape; }
  DType dtype(size_t i) const { return type(i).dtype; }
  // The resident constant of input i, or null.
  ConstTensor constant(size_t i) const;
  // The integers of input i (shapes, axes, repeats), each a number, symbolic or unknown; none when nothing is known.
  std::optional<std::vector<Dim>> contents(size_t i) const;
  // The same, only when every one is a number.
  std::optional<std::vector<int64_t>> ints(size_t i) const;

 private:
  std::span<const InputInfo> inputs_;
};

using Inputs = std::span<const Tensor* const>;        // null: absent optional input
using Outputs = std::span<Tensor>;

// Runs a graph on tensors; the outputs in the graph's order.
using RunBody = std::function<std::vector<Tensor>(const Graph& body, const std::vector<const Tensor*>& inputs)>;

using OnnxAttribute = std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>, std::vector<std::string>, ConstTensor, GraphPtr>;

// How a node is written in standard ONNX (opset kExportOpset): inputs and outputs stay in the node's order.
struct OnnxForm {
  std::string op_type;
  std::map<std::string, OnnxAttribute> attributes;
  std::string domain;
};
constexpr int64_t kExportOpset = 21;

// What one operator means. Immutable once in a graph, shared between graphs.
class Op {
 public:
  virtual ~Op() = default;
  virtual std::string_view name() const = 0;
  // Types of all outputs; unknown extents where they depend on data. Raises model when the inputs do not fit.
  virtual std::vector<TensorType> infer(const InferContext& in) const = 0;
  // Elements of output 0 when it is a small integer tensor whose elements follow from shapes (Shape, Gather of a shape …).
  virtual std::optional<std::vector<Dim>> infer_contents(const InferContext&) const { return std::nullopt; }
  // The definition: slow, clear, sums in double. Outputs whose inferred type is static come allocated; the others are assigned here.
  virtual void reference(Inputs in, Outputs out) const = 0;
  // Whether equal inputs always give equal outputs (false: random operators).
  virtual bool is_pure() const { return true; }
  // Takes a fused node apart into simpler ones added before it; the values that replace its outputs, or empty when it is not fused.
  virtual std::vector<struct Value*> decompose(Graph&, Node&) const;
  virtual std::optional<OnnxForm> to_onnx(const Node&) const { return std::nullopt; }
  // Graphs held in fields (If, Loop, Scan), and a copy of this op with them replaced, in the same order.
  virtual std::vector<GraphPtr> subgraphs() const { return {}; }
  virtual std::unique_ptr<Op> with_subgraphs(std::vector<GraphPtr>) const;
  // The definition of an op with subgraphs, which `run` executes: reference() with the bodies run some other way.
  virtual std::vector<Tensor> run_bodies(Inputs in, const RunBody& run) const;

  virtual void print_fields(std::ostream&) const = 0;
  virtual void parse_field(std::string_view key, TextReader&) = 0;
  virtual bool same_fields(const Op&) const = 0;
  virtual std::unique_ptr<Op> clone() const = 0;
};

template <class C, class T>
struct Field {
  std::string_view name;
  T C::*member;
};
template <class C, class T>
constexpr Field<C, T> field(std::string_view n, T C::*m) { return {n, m}; }

// Text of one field value. Types of ops' own (activations, enums) add overloads in their namespace scope beside the type.
void print_value(std::ostream&, int64_t);
void print_value(std::ostream&, float);               // shortest form that reads back equal; nan, inf, -inf
void print_value(std::ostream&, bool) = delete;       // use an enum
void print_value(std::ostream&, DType);
void print_value(std::ostream&, const std::string&);  // quoted
void print_value(std::ostream&, const std::vector<int64_t>&);
void print_value(std::ostream&, const std::vector<float>&);
void print_value(std::ostream&, const std::vector<std::string>&);
void print_value(std::ostream&, const GraphPtr&);
void print_value(std::ostream&, const QuantizationPtr&);
void parse_value(TextReader&, int64_t&);
void parse_value(TextReader&, float&);
void parse_value(TextReader&, DType&);
void parse_value(TextReader&, std::string&);
void parse_value(TextReader&, std::vector<int64_t>&);
void parse_value(TextReader&, std::vector<float>&);
void parse_value(TextReader&, std::vector<std::string>&);
void parse_value(TextReader&, GraphPtr&);
void parse_value(TextReader&, QuantizationPtr&);

// Enums are printed by name: specialize kEnumNames<E> with the names in the order of the values 0, 1, 2 …
template <class E> inline constexpr std::span<const std::string_view> kEnumNames{};
int64_t parse_enum(TextReader&, std::span<const std::string_view> names);
template <class E>
  requires(std::is_enum_v<E> && !std::is_same_v<E, DType>)
void print_value(std::ostream& out, E value) { out << kEnumNames<E>[static_cast<size_t>(value)]; }
template <class E>
  requires(std::is_enum_v<E> && !std::is_same_v<E, DType>)
void parse_value(TextReader& in, E& value) { value = static_cast<E>(parse_enum(in, kEnumNames<E>)); }

bool same_value(const GraphPtr& a, const GraphPtr& b);
bool same_value(const QuantizationPtr& a, const QuantizationPtr& b);
bool same_value(float a, float b);                    // NaN equals NaN: fields are data
template <class T> bool same_value(const T& a, const T& b) { return a == b; }

// Derives printing, parsing, equality and cloning from Self::kFields (a tuple of field(...)) and Self::kName.
template <class Self>
class OpBase : public Op {
 public:
  std::string_view name() const final { return Self::kName; }
  void print_fields(std::ostream& out) const final {
    static const Self defaults;
    const char* separator = " {";
    each([&](auto f) {
      if (same_value(self().*f.member, defaults.*f.member)) return;
      out << separator << f.name << "=";
      print_value(out, self().*f.member);
      separator = ", ";
    });
    if (separator[0] == ',') out << "}";
  }
  void parse_field(std::string_view key, TextReader& in) final {
    bool found = false;
    each([&](auto f) {
      if (f.name != key) return;
      parse_value(in, static_cast<Self&>(*this).*f.member);
      found = true;
    });
    require(found, ErrorKind::model, name(), " has no field '", key, "'");
  }
  bool same_fields(const Op& other) const final {
    const auto* o = dynamic_cast<const Self*>(&other);
    bool same = o != nullptr;
    if (o) each([&](auto f) { same = same && same_value(self().*f.member, o->*f.member); });
    return same;
  }
  std::unique_ptr<Op> clone() const final { return std::make_unique<Self>(self()); }

 private:
  const Self& self() const { return static_cast<const Self&>(*this); }
  template <class F>
  static void each(F&& f) {
    std::apply([&](auto... fs) { (f(fs), ...); }, Self::kFields);
  }
};

}  // namespace onecard
