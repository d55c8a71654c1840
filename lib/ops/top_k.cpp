#include "lib/ops/top_k.h"

#include <algorithm>
#include <numeric>

#include "lib/ops/arithmetic.h"
#include "lib/ops/movement.h"

namespace onecard {

namespace {

template <class T>
bool less_than(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return a < b;
  } else {
    const double x = static_cast<double>(a), y = static_cast<double>(b);
    return y != y ? x == x : x < y;                   // NaN is the largest
  }
}

}  // namespace

std::vector<TensorType> TopK::infer(const InferContext& in) const {
  in.type(1);                                         // raises when it is missing
  const TensorType& x = tensor_type(in, 0);
  require(is_numeric(x.dtype), ErrorKind::model, "orders ", info(x.dtype).name);
  const auto quant = moved_quant(x);
  Shape shape = x.shape;
  if (shape.has_rank()) {
    const int64_t along = checked_axis(axis, shape.rank());
    const auto k = in.contents(1);
    require(!k || k->size() == 1, ErrorKind::model, "k must be one integer");
    const Dim wanted = k ? checked_extent(k->front()) : Dim::unknown();
    if (wanted.is_number() && shape[along].is_number())
      require(wanted.number() <= shape[along].number(), ErrorKind::model, "the ", wanted.number(), " first of ", shape[along].number(), " elements");
    shape[along] = wanted;
  }
  return {TensorType(x.dtype, shape, quant), TensorType(DType::i64, shape)};
}

void TopK::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  const int64_t along = checked_axis(axis, x.rank());
  const AxisView from = axis_view(x.dims(), along);
  require(in[1]->elements() == 1, ErrorKind::model, "k must be one integer");
  const int64_t k = in[1]->int_at(0);
  require(k >= 0 && k <= from.extent, ErrorKind::model, "the ", k, " first of ", from.extent, " elements");
  Dims dims = x.dims();
  dims[static_cast<size_t>(along)] = k;
  Tensor& values = allocated(out[0], x.dtype(), dims, x.type().quant);
  Tensor& indices = allocated(out[1], DType::i64, dims);
  const ElementCopier copy(x, values);
  visit_numeric(x.dtype(), [&]<class T>(TypeTag<T>) {
    const auto data = x.data<T>();
    std::vector<int64_t> order(static_cast<size_t>(from.extent));
    for (int64_t o = 0; o < from.outer; ++o) {
      for (int64_t i = 0; i < from.inner; ++i) {
        const int64_t origin = o * from.extent * from.inner + i;
        const auto element = [&](int64_t n) { return data[static_cast<size_t>(origin + n * from.inner)]; };
        std::iota(order.begin(), order.end(), int64_t{0});
        std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int64_t a, int64_t b) {
          const T u = element(a), v = element(b);
          if (less_than(u, v)) return end == TopEnd::smallest;
          if (less_than(v, u)) return end == TopEnd::largest;
          return a < b;
        });
        for (int64_t n = 0; n < k; ++n) {
          const int64_t at = (o * k + n) * from.inner + i;
          copy(origin + order[static_cast<size_t>(n)] * from.inner, at);
          indices.data<int64_t>()[static_cast<size_t>(at)] = order[static_cast<size_t>(n)];
        }
      }
    }
  });
}

std::optional<OnnxForm> TopK::to_onnx(const Node&) const { return OnnxForm{"TopK", {{"axis", axis}, {"largest", int64_t{end == TopEnd::largest}}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "TopK", 1}};
}
const std::span<const OnnxName> TopK::kOnnx{kNames};

std::vector<Value*> TopK::from_onnx(const OnnxNode& node) {
  TopK op;
  op.axis = node.attr<int64_t>("axis", -1);
  op.end = node.attr<int64_t>("largest", 1) != 0 ? TopEnd::largest : TopEnd::smallest;
  Value* k = node.has("k") ? int_list(node, {node.needed_attr<int64_t>("k")}) : node.needed(1);
  return node.add_all(op, {node.needed(0), k});
}

DEFINE_OP(TopK)

}  // namespace onecard
