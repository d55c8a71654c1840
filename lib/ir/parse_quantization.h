#pragma once
#include "lib/ir/text.h"

namespace onecard {

// "[item, item, …]", each as parse_value reads it.
template <class T>
void parse_list(TextReader& in, std::vector<T>& v) {
  v.clear();
  in.expect('[');
  while (!in.accept(']')) {
    T item{};
    parse_value(in, item);
    v.push_back(std::move(item));
    if (!in.accept(',')) {
      in.expect(']');
      break;
    }
  }
}

// Reads a quantization between its braces; `type`: of the tensor it belongs to, null where it stands alone.
QuantizationPtr parse_quantization(TextReader& in, const TensorType* type);

}  // namespace onecard
