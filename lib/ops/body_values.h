#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// What a value may be that is either of two types: extents that differ become unknown, as the rank does; an optional of the same element
// takes in both. Raises model when the element types, the containers or the quantization cannot be one type.
TensorType merged_type(const TensorType& a, const TensorType& b);
// Types of a body's outputs inside a node with these inputs. From body input `first_capture` on, body inputs stand for the node's inputs
// from `first_input` on: sizes known of those take the place of symbols.
std::vector<TensorType> body_output_types(const Graph& body, const InferContext& in, size_t first_capture, size_t first_input);
// The types of the node's inputs from `first_input` on, one per input of the body; what the body declares where one is absent.
std::vector<TensorType> given_types(const Graph& body, const InferContext& in, size_t first_input);
// The type of values of type `item` lined up along a new axis of extent `count`.
TensorType stacked_type(const TensorType& item, int64_t axis, const Dim& count);
// The items lined up along a new axis, last one first when `reversed`; they must be of one shape. Without items: an empty tensor of what is
// declared of them, unknown extents 0. The items are given up.
Tensor stacked(std::vector<Tensor>& items, const TensorType& declared, int64_t axis, bool reversed);
// One element as a tensor of the rank that a body declares for it: a scalar, or a list of one.
template <class T>
Tensor body_scalar(const TensorType& declared, T value) {
  return Tensor::of<T>(declared.shape.has_rank() && declared.shape.rank() == 1 ? Dims{1} : Dims{}, {value});
}
// The value of an input of one boolean or integer.
bool condition_of(const Tensor& t);
// Reference of an op with bodies: run_bodies with the bodies run by reference.
void reference_of_bodies(const Op& op, Inputs in, Outputs out);
// What an absent value (of an optional type) is copied as, and others are copied.
Tensor copied(const Tensor* t);

}  // namespace onecard
