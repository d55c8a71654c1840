#include "lib/ops/body_values.h"

#include "lib/ops/movement.h"

namespace onecard {

namespace {

Container merged_container(const TensorType& a, const TensorType& b) {
  if (a.container == b.container) return a.container;
  const auto either = [&](Container x, Container y) { return (a.container == x && b.container == y) || (a.container == y && b.container == x); };
  if (either(Container::tensor, Container::optional)) return Container::optional;
  if (either(Container::sequence, Container::optional_sequence)) return Container::optional_sequence;
  fail(ErrorKind::model, "a value is either ", a.text(), " or ", b.text());
}

// Symbols that stand for numbers inside the node, as far as captured extents are bare symbols.
SymbolValues captured_sizes(const Graph& body, const InferContext& in, size_t first_capture, size_t first_input) {
  SymbolValues sizes;
  for (size_t i = first_capture; i < body.inputs.size(); ++i) {
    const size_t at = first_input + (i - first_capture);
    if (!in.has(at)) continue;
    const Shape &inner = body.inputs[i]->type.shape, &outer = in.shape(at);
    if (!inner.has_rank() || !outer.has_rank() || inner.rank() != outer.rank()) continue;
    for (int64_t a = 0; a < inner.rank(); ++a) {
      if (!inner[a].is_symbolic() || !outer[a].is_number()) continue;
      const auto symbols = inner[a].symbols();
      if (symbols.size() == 1 && inner[a] == Dim::symbol(symbols[0])) sizes[symbols[0]] = outer[a].number();
    }
  }
  return sizes;
}

}  // namespace

TensorType merged_type(const TensorType& a, const TensorType& b) {
  TensorType merged = a;
  merged.container = merged_container(a, b);
  require(a.dtype == b.dtype, ErrorKind::model, "a value is either ", a, " or ", b);
  require(same_value(a.quant, b.quant), ErrorKind::model, "a value is quantized either as ", a, " or as ", b);
  if (!a.shape.has_rank() || !b.shape.has_rank() || a.shape.rank() != b.shape.rank()) {
    merged.shape = Shape::unranked();
    return merged;
  }
  for (int64_t i = 0; i < a.shape.rank(); ++i)
    if (!same_size(a.shape[i], b.shape[i])) merged.shape[i] = Dim::unknown();
  return merged;
}

std::vector<TensorType> body_output_types(const Graph& body, const InferContext& in, size_t first_capture, size_t first_input) {
  const SymbolValues sizes = captured_sizes(body, in, first_capture, first_input);
  std::vector<TensorType> types;
  for (const Value* v : body.outputs) {
    types.push_back(v->type);
    types.back().shape = v->type.shape.bind(sizes);
  }
  return types;
}

std::vector<TensorType> given_types(const Graph& body, const InferContext& in, size_t first_input) {
  std::vector<TensorType> types;
  for (size_t i = 0; i < body.inputs.size(); ++i) types.push_back(in.has(first_input + i) ? in.type(first_input + i) : body.inputs[i]->type);
  return types;
}

TensorType stacked_type(const TensorType& item, int64_t axis, const Dim& count) {
  require(item.container == Container::tensor, ErrorKind::model, "lines up ", item);
  if (!item.shape.has_rank()) return TensorType(item.dtype, Shape::unranked(), moved_quant(item));
  std::vector<Dim> dims = item.shape.dims();
  dims.insert(dims.begin() + checked_axis(axis, item.shape.rank() + 1), count);
  return TensorType(item.dtype, Shape(std::move(dims)), moved_quant(item));
}

Tensor stacked(std::vector<Tensor>& items, const TensorType& declared, int64_t axis, bool reversed) {
  const auto count = static_cast<int64_t>(items.size());
  Dims one;
  if (count > 0) {
    one = items[0].dims();
  } else if (declared.shape.has_rank()) {
    for (const Dim& d : declared.shape.dims()) one.push_back(d.is_number() ? d.number() : 0);
  }
  Dims dims = one;
  const int64_t along = checked_axis(axis, static_cast<int64_t>(one.size()) + 1);
  dims.insert(dims.begin() + along, count);
  const DType dtype = count > 0 ? items[0].dtype() : declared.dtype;
  Tensor y(TensorType(dtype, Shape::of(dims), declared.quant));
  const AxisView view = axis_view(dims, along);
  for (int64_t i = 0; i < count; ++i) {
    Tensor& item = items[static_cast<size_t>(reversed ? count - 1 - i : i)];
    require(item.has_value() && item.type().container == Container::tensor && item.dtype() == dtype && item.dims() == one, ErrorKind::model,
            "an iteration gives ", item.type(), ", another one ", TensorType(dtype, Shape::of(one)).text());
    const ElementCopier copy(item, y);
    for (int64_t o = 0; o < view.outer; ++o) copy(o * view.inner, (o * view.extent + i) * view.inner, view.inner);
    item = Tensor();
  }
  return y;
}

bool condition_of(const Tensor& t) {
  require(t.has_value() && t.dtype() == DType::boolean && t.elements() == 1, ErrorKind::model, "the condition is ", t.type(), ", not one boolean");
  return t.data<bool>()[0];
}

void reference_of_bodies(const Op& op, Inputs in, Outputs out) {
  auto results = op.run_bodies(in, [](const Graph& body, const std::vector<const Tensor*>& inputs) { return run_reference(body, inputs); });
  require(results.size() == out.size(), ErrorKind::internal, op.name(), " gave ", results.size(), " values for ", out.size(), " outputs");
  for (size_t i = 0; i < out.size(); ++i) deliver(out[i], std::move(results[i]));
}

Tensor copied(const Tensor* t) { return t && t->has_value() ? t->clone() : Tensor(); }

}  // namespace onecard
