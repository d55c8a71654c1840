#include "lib/ops/unique.h"

#include <algorithm>
#include <numeric>

#include "lib/ops/movement.h"
#include "lib/ops/real_values.h"

namespace onecard {

namespace {

// -1, 0 or 1 as one number comes before, with or after another; NaN last, with itself.
int compare(double u, double v) {
  if (u != u || v != v) return int(u != u) - int(v != v);
  return int(u > v) - int(u < v);
}

// The same of two elements; complex ones by their real parts first, as numpy sorts them.
int compare(const Tensor& x, int64_t a, int64_t b) {
  if (x.dtype() == DType::string) return x.text()[static_cast<size_t>(a)].compare(x.text()[static_cast<size_t>(b)]);
  if (is_float(x.dtype())) return compare(x.at(a), x.at(b));
  if (info(x.dtype()).kind == DKind::complex) {
    const auto u = complex_at(x, a), v = complex_at(x, b);
    const int c = compare(u.real(), v.real());
    return c != 0 ? c : compare(u.imag(), v.imag());
  }
  const int64_t u = x.int_at(a), v = x.int_at(b);
  if (x.dtype() == DType::u64) return int(static_cast<uint64_t>(u) > static_cast<uint64_t>(v)) - int(static_cast<uint64_t>(u) < static_cast<uint64_t>(v));
  return int(u > v) - int(u < v);
}

// The slices of x along one axis, comparable by their elements.
struct Slices {
  const Tensor& x;
  AxisView view;
  int compare_slices(int64_t a, int64_t b) const {
    for (int64_t o = 0; o < view.outer; ++o) {
      for (int64_t i = 0; i < view.inner; ++i) {
        const int c = compare(x, (o * view.extent + a) * view.inner + i, (o * view.extent + b) * view.inner + i);
        if (c != 0) return c;
      }
    }
    return 0;
  }
};

struct Distinct {
  std::vector<int64_t> first, place, count;           // of each distinct slice; of each slice; of each distinct slice
};

Distinct distinct_slices(const Slices& slices, UniqueOrder order) {
  std::vector<int64_t> sorted(static_cast<size_t>(slices.view.extent));
  std::iota(sorted.begin(), sorted.end(), int64_t{0});
  std::stable_sort(sorted.begin(), sorted.end(), [&](int64_t a, int64_t b) { return slices.compare_slices(a, b) < 0; });
  Distinct d;
  d.place.resize(sorted.size());
  for (const int64_t s : sorted) {
    if (d.first.empty() || slices.compare_slices(d.first.back(), s) != 0) {
      d.first.push_back(s);
      d.count.push_back(0);
    }
    ++d.count.back();
    d.place[static_cast<size_t>(s)] = static_cast<int64_t>(d.first.size()) - 1;
  }
  if (order == UniqueOrder::sorted) return d;
  std::vector<int64_t> seen(d.first.size()), rank(d.first.size());
  std::iota(seen.begin(), seen.end(), int64_t{0});
  std::sort(seen.begin(), seen.end(), [&](int64_t a, int64_t b) { return d.first[static_cast<size_t>(a)] < d.first[static_cast<size_t>(b)]; });
  Distinct by_first = d;
  for (size_t i = 0; i < seen.size(); ++i) {
    by_first.first[i] = d.first[static_cast<size_t>(seen[i])];
    by_first.count[i] = d.count[static_cast<size_t>(seen[i])];
    rank[static_cast<size_t>(seen[i])] = static_cast<int64_t>(i);
  }
  for (int64_t& p : by_first.place) p = rank[static_cast<size_t>(p)];
  return by_first;
}

void write_list(Tensor& out, const std::vector<int64_t>& values) {
  Tensor& y = allocated(out, DType::i64, {static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), y.data<int64_t>().begin());
}

}  // namespace

std::vector<TensorType> Unique::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  Shape shape = axis == kFlat ? Shape::unknown(1) : x.shape;
  Dim extent = x.shape.elements();
  if (axis != kFlat && shape.has_rank()) {
    extent = shape[checked_axis(axis, shape.rank())];
    shape[checked_axis(axis, shape.rank())] = Dim::unknown();
  }
  const TensorType list(DType::i64, Shape::unknown(1));
  return {TensorType(x.dtype, shape, moved_quant(x)), list, TensorType(DType::i64, Shape{extent}), list};
}

void Unique::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  const Slices slices{x, axis == kFlat ? AxisView{1, x.elements(), 1} : axis_view(x.dims(), axis)};
  const Distinct d = distinct_slices(slices, order);
  const AxisView& view = slices.view;
  const auto count = static_cast<int64_t>(d.first.size());
  Dims dims = x.dims();
  if (axis == kFlat) dims = {count};
  else dims[static_cast<size_t>(checked_axis(axis, x.rank()))] = count;
  Tensor& y = allocated(out[0], x.dtype(), dims, x.type().quant);
  const ElementCopier copy(x, y);
  for (int64_t o = 0; o < view.outer; ++o)
    for (int64_t i = 0; i < count; ++i) copy((o * view.extent + d.first[static_cast<size_t>(i)]) * view.inner, (o * count + i) * view.inner, view.inner);
  write_list(out[1], d.first);
  write_list(out[2], d.place);
  write_list(out[3], d.count);
}

std::optional<OnnxForm> Unique::to_onnx(const Node&) const {
  OnnxForm form{"Unique", {{"sorted", int64_t{order == UniqueOrder::sorted}}}, ""};
  if (axis != kFlat) form.attributes["axis"] = axis;
  return form;
}

namespace {
constexpr OnnxName kNames[] = {{"", "Unique", 11}};
}
const std::span<const OnnxName> Unique::kOnnx{kNames};

std::vector<Value*> Unique::from_onnx(const OnnxNode& node) {
  Unique op;
  op.axis = node.attr<int64_t>("axis", kFlat);
  op.order = node.attr<int64_t>("sorted", 1) != 0 ? UniqueOrder::sorted : UniqueOrder::first_seen;
  return node.add_all(op, {node.needed(0)});
}

DEFINE_OP(Unique)

}  // namespace onecard
