#include <algorithm>
#include <numeric>

#include "lib/base/parallel.h"
#include "lib/ops/arithmetic.h"
#include "lib/ops/movement.h"
#include "lib/ops/select_ops.h"

namespace onecard {

namespace {

// A total order of numbers with NaN on top.
template <class T>
bool below(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return a < b;
  } else {
    const auto x = static_cast<double>(a), y = static_cast<double>(b);
    return x < y || (y != y && x == x);
  }
}

// The first k positions of one line of x in the order wanted; `positions` is scratch as long as the line.
template <class T>
void first_positions(const T* line, int64_t step, int64_t k, TopKOrder order, std::vector<int64_t>& positions) {
  std::iota(positions.begin(), positions.end(), int64_t{0});
  const auto before = [&](int64_t i, int64_t j) {
    const T a = line[i * step], b = line[j * step];
    if (order == TopKOrder::largest ? below(b, a) : below(a, b)) return true;
    if (order == TopKOrder::largest ? below(a, b) : below(b, a)) return false;
    return i < j;
  };
  std::partial_sort(positions.begin(), positions.begin() + k, positions.end(), before);
}

}  // namespace

std::vector<TensorType> TopK::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  require(is_numeric(x.dtype), ErrorKind::model, "orders ", info(x.dtype).name);
  require(is_integer(tensor_type(in, 1).dtype), ErrorKind::model, "k must be an integer");
  const auto quant = moved_quant(x);
  Shape shape = x.shape;
  if (shape.has_rank()) {
    Dim& extent = shape[checked_axis(axis, shape.rank())];
    const auto k = in.contents(1);
    require(!k || k->size() == 1, ErrorKind::model, "k must be one integer");
    const Dim count = k ? checked_extent(k->front()) : Dim::unknown();
    if (count.is_number() && extent.is_number()) require(count.number() <= extent.number(), ErrorKind::model, "takes ", count.number(), " of ", extent.number(), " elements");
    extent = count;
  }
  return {TensorType(x.dtype, shape, quant), TensorType(DType::i64, shape)};
}

void TopK::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  const int64_t along = checked_axis(axis, x.rank());
  require(in[1]->elements() == 1, ErrorKind::model, "k is ", in[1]->type().text());
  const int64_t k = in[1]->int_at(0);
  const AxisView view = axis_view(x.dims(), along);
  require(k >= 0 && k <= view.extent, ErrorKind::model, "takes ", k, " of ", view.extent, " elements");
  Dims dims = x.dims();
  dims[static_cast<size_t>(along)] = k;
  Tensor& values = allocated(out[0], x.dtype(), dims, x.type().quant);
  Tensor& indices = allocated(out[1], DType::i64, dims);
  if (values.elements() == 0) return;
  visit_numeric(x.dtype(), [&]<class T>(TypeTag<T>) {
    const T* from = x.data<T>().data();
    T* to = values.data<T>().data();
    int64_t* places = indices.data<int64_t>().data();
    parallel_for(view.outer * view.inner, 1 + 8192 / view.extent, [&](int64_t begin, int64_t end) {
      std::vector<int64_t> positions(static_cast<size_t>(view.extent));
      for (int64_t line = begin; line < end; ++line) {
        const int64_t outer = line / view.inner, inner = line % view.inner;
        const T* start = from + outer * view.extent * view.inner + inner;
        first_positions(start, view.inner, k, order, positions);
        for (int64_t i = 0; i < k; ++i) {
          const int64_t at = (outer * k + i) * view.inner + inner;
          to[at] = start[positions[static_cast<size_t>(i)] * view.inner];
          places[at] = positions[static_cast<size_t>(i)];
        }
      }
    });
  });
}

std::optional<OnnxForm> TopK::to_onnx(const Node&) const { return OnnxForm{"TopK", {{"axis", axis}, {"largest", int64_t{order == TopKOrder::largest}}}, ""}; }

namespace {
constexpr OnnxName kNames[] = {{"", "TopK", 1}};
}
const std::span<const OnnxName> TopK::kOnnx{kNames};

std::vector<Value*> TopK::from_onnx(const OnnxNode& node) {
  TopK op;
  op.axis = node.attr<int64_t>("axis", -1);
  op.order = node.attr<int64_t>("largest", 1) != 0 ? TopKOrder::largest : TopKOrder::smallest;
  Value* k = node.has("k") ? int_list(node, {node.needed_attr<int64_t>("k")}) : node.needed(1);
  return node.add_all(op, {node.needed(0), k});
}

DEFINE_OP(TopK)

}  // namespace onecard
