#include "passes/pipeline.h"

namespace onecard {

namespace {

using enum Repeat;
using enum Reach;

constexpr PipelineRow kFloat[] = {
    {"fold_captured_constants", once, everywhere, "bodies must see weights as constants before anything looks for constants"},
    {"type_linear_quantization", once, everywhere, "weights of a quantized model must not be folded to floats"},
    {"type_integer_layers", once, everywhere, "before patterns are looked for: a typed layer is an ordinary one"},
    {"fold_constants", fixpoint, everywhere, "shape arithmetic and exporters' leftovers hide every other pattern"},
    {"fold_constant_if", fixpoint, everywhere, "conditions become constant by folding; what was inside can then fold further"},
    {"fold_captured_constants", fixpoint, everywhere, "captures become constant by folding"},
    {"eliminate_identity", fixpoint, everywhere, "patterns are written without identities"},
    {"eliminate_cast", fixpoint, everywhere, "patterns are written without casts"},
    {"eliminate_reshape", fixpoint, everywhere, "a reshape between two nodes keeps them from being fused"},
    {"fold_reshape_shape", fixpoint, everywhere, "what computed the shape is then read by nothing"},
    {"eliminate_transpose", fixpoint, everywhere, "a transpose between two nodes keeps them from being fused"},
    {"eliminate_common_subexpressions", fixpoint, everywhere, "rules ask for a single reader of the same value, so twins must be one first"},
    {"prune_l1_unstructured", once, main_graph, "magnitudes are those of the weights as they were trained, before anything is folded into them"},
    {"type_linear_quantization", fixpoint, everywhere, "scales may have become constant by folding"},
    {"type_integer_layers", fixpoint, everywhere, "scales may have become constant by folding"},
    {"type_dynamic_layers", fixpoint, everywhere, "before patterns are looked for, when the weights' scales are constants"},
    {"eliminate_reinterpret", fixpoint, everywhere, "one layer's integers are the next one's"},
    {"move_dequantize_down", fixpoint, everywhere, "integers are moved, and a dequantize meets the layer that takes it"},
    {"fold_constants", fixpoint, everywhere, "integer weights that were transposed or reshaped"},
    {"fuse_dequantize", fixpoint, everywhere, "a model that is quantized already: layers take integers, scales of batch_norms go into theirs"},
    {"fold_pad_into_conv", fixpoint, everywhere, "a conv then reads its input directly"},
    {"fold_batch_norm_into_conv", fixpoint, everywhere, "after every conv there is one; it costs nothing inside the weights"},
    {"fold_arithmetic_into_conv", fixpoint, everywhere, "scales and shifts in turn, each makes the next one reachable"},
    {"fold_arithmetic_into_matmul", fixpoint, everywhere, "scales and shifts in turn, each makes the next one reachable"},
    {"replace_batch_norm", once, everywhere, "only those that no conv could take are left"},
    {"fuse_clip", fixpoint, everywhere, "hard activations are recognized by their clip"},
    {"fuse_hard_sigmoid", fixpoint, everywhere, "may be the gate of a hard swish"},
    {"fuse_hard_swish", fixpoint, everywhere, "before activations go into convs: the gate would be gone"},
    {"fuse_silu", fixpoint, everywhere, "before activations go into convs: the gate would be gone"},
    {"fuse_mish", fixpoint, everywhere, "before activations go into convs: the gate would be gone"},
    {"fuse_gelu", fixpoint, everywhere, "before sums go into matmuls: they would hold parts of it"},
    {"fuse_gelu_tanh", fixpoint, everywhere, "before sums go into matmuls: they would hold parts of it"},
    {"fuse_layer_norm", once, everywhere, "before rms_norm, whose pattern is part of it"},
    {"fuse_rms_norm", once, everywhere, "after layer_norm, of which its pattern is part"},
    {"fuse_attention", once, everywhere, "before masks and scales go into matmuls"},
    {"fuse_transpose_into_matmul", once, everywhere, "after attention, which knows the transposed key itself"},
    {"fuse_bias_into_matmul", once, everywhere, "before residuals: a matmul takes its constant as bias, the other sum as residual"},
    {"fuse_activation", fixpoint, everywhere, "first what follows the conv at once; after a residual again"},
    {"fuse_residual_add", fixpoint, everywhere, "the sum is then free to take its activation along"},
    {"fuse_dequantize", once, everywhere, "residuals of integer layers are integers"},
    {"eliminate_common_subexpressions", once, everywhere, "folding made equal constants"},
    {"eliminate_dead", once, everywhere, "nothing unread is kept"},
    {"name_body_values", once, main_graph, "what comes after tells layers apart by name"},
};

constexpr PipelineRow kQuantize[] = {
    {"replace_weights", once, everywhere, "layers bear the names that compression has seen"},
    {"quantize_weights", once, everywhere, "weights are final: everything that could be folded into them was"},
    {"quantize_activations", once, everywhere, "only where the weights are integers now"},
    {"quantize_activations_dynamic", once, everywhere, "only where the weights are integers now"},
    {"eliminate_quantize_pairs", fixpoint, everywhere, "a model that is quantized already has them"},
    {"fuse_quantize", fixpoint, everywhere, "the producer writes integers itself"},
    {"fuse_quantized_binary", once, everywhere, "sums and products of what is integers on both sides"},
    {"fuse_quantized_pool", once, everywhere, "averages of integers"},
    {"fuse_lookup", once, everywhere, "last: any function of one integer that nothing else took"},
    {"eliminate_common_subexpressions", fixpoint, everywhere, "a quantize moved up on two branches is one"},
    {"eliminate_reinterpret", once, everywhere, "what stood between typed layers"},
    {"quantize_floats", once, everywhere, "every node that will be there is there, and every constant"},
    {"eliminate_cast", fixpoint, everywhere, "a model of mixed types has casts of its own"},
    {"eliminate_dead", once, everywhere, "nothing unread is kept"},
};

}  // namespace

std::vector<PipelineRow> float_pipeline() { return {std::begin(kFloat), std::end(kFloat)}; }
std::vector<PipelineRow> quantize_pipeline() { return {std::begin(kQuantize), std::end(kQuantize)}; }

std::vector<PipelineRow> standard_pipeline() {
  std::vector<PipelineRow> rows = float_pipeline();
  const std::vector<PipelineRow> more = quantize_pipeline();
  rows.insert(rows.end(), more.begin(), more.end());
  return rows;
}

}  // namespace onecard
