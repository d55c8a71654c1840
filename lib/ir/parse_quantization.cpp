#include "lib/ir/parse_quantization.h"

#include <algorithm>

namespace onecard {

namespace {

// A numbered constant of as many numbers as a tensor of this type has blocks: "f16#7".
enum class BlockNumbers : uint8_t { scales /* f16 or f32 */, zeros /* integers of 4 or 8 bits, or i32 */ };
ConstTensor parse_block_numbers(TextReader& in, const TensorType* type, const Quantization& q, BlockNumbers what) {
  const DType dtype = dtype_from_name(in.word());
  in.expect('#');
  const int64_t number = in.integer();
  const bool numbers =
      what == BlockNumbers::scales ? dtype == DType::f16 || dtype == DType::f32 : is_integer(dtype) && (info(dtype).bits <= 8 || dtype == DType::i32);
  const bool known = numbers && type && type->shape.is_static() && q.axis >= 0 && q.axis < type->shape.rank() && q.block > 0;
  if (!known || !in.options().constant_at) in.error("numbered scales and zero points belong to the blocks of a constant");
  Dims dims = type->shape.numbers();
  int64_t& extent = dims[static_cast<size_t>(q.axis)];
  extent = extent / q.block + (extent % q.block != 0);
  return materialize(in.options().constant_at(number, TensorType(dtype, Shape{Dim(element_count(dims))})));
}

}  // namespace

QuantizationPtr parse_quantization(TextReader& in, const TensorType* type) {
  auto q = std::make_shared<Quantization>();
  in.expect('{');
  while (!in.accept('}')) {
    const std::string key = in.word();
    in.expect('=');
    if (key == "axis") q->axis = in.integer();
    else if (key == "block") q->block = in.integer();
    else if (key == "scale" && in.peek() == '[') parse_list(in, q->scale);
    else if (key == "scale") {
      const std::vector<double> scales = to_doubles(*parse_block_numbers(in, type, *q, BlockNumbers::scales));
      q->scale.assign(scales.begin(), scales.end());
    } else if (key == "zero") {
      std::vector<int64_t> zeros;
      if (in.peek() == '[') parse_list(in, zeros);
      else zeros = to_ints(*parse_block_numbers(in, type, *q, BlockNumbers::zeros));
      constexpr int64_t kMostZero = int64_t{1} << 30;  // what a code less its zero point stays a number of 32 bits with
      if (std::any_of(zeros.begin(), zeros.end(), [](int64_t z) { return z < -kMostZero || z > kMostZero; }))
        in.error("a zero point is out of range");
      q->zero_point.assign(zeros.begin(), zeros.end());
    } else in.error("unknown quantization field '" + key + "'");
    in.accept(',');
  }
  if (q->scale.empty() || (q->zero_point.size() != 1 && q->zero_point.size() != q->scale.size()))
    in.error("a quantization needs scales and one zero point, or one each");
  return q;
}

}  // namespace onecard
