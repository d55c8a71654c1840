#pragma once
#include "lib/ops/registry.h"

namespace onecard {

// What RNN, GRU and LSTM have in common.

enum class Direction : uint8_t { forward, reverse, bidirectional };
inline constexpr std::string_view kDirectionNames[] = {"forward", "reverse", "bidirectional"};
template <>
inline constexpr std::span<const std::string_view> kEnumNames<Direction>{kDirectionNames};
inline int64_t directions(Direction d) { return d == Direction::bidirectional ? 2 : 1; }
// Where the batch axis of x, the states and y stands: after time and direction, or first.
enum class SequenceLayout : uint8_t { time_first, batch_first };
inline constexpr std::string_view kSequenceLayoutNames[] = {"time_first", "batch_first"};
template <>
inline constexpr std::span<const std::string_view> kEnumNames<SequenceLayout>{kSequenceLayoutNames};

// An activation of a recurrent operator with its parameters.
struct RecurrentFunction {
  double (*function)(double x, double alpha, double beta) = nullptr;
  double alpha = 0, beta = 0;
  double operator()(double x) const { return function(x, alpha, beta); }
};

// The fields of a recurrent op, in the form its three variants share; lists as in ONNX.
struct RecurrentFields {
  Direction direction;
  SequenceLayout layout;
  std::span<const std::string> activations;  // empty: `defaults`, for every direction
  std::span<const float> alpha, beta;
  float clip;  // 0: none
  std::span<const std::string_view> defaults;
  int64_t gates;
};
// The functions of every direction in turn. Raises model for unknown names and wrong counts.
std::vector<RecurrentFunction> recurrent_functions(const RecurrentFields& f);
// Y, Y_h and, for `states` = 2, Y_c from inputs x, w, r, b, sequence_lens, initial_h (and initial_c, p from index 6 on).
std::vector<TensorType> infer_recurrent(const RecurrentFields& f, const InferContext& in, int64_t states);

// The state of one sequence in one direction while it runs.
struct RecurrentState {
  std::vector<double> h, c;              // c is empty unless states = 2
  const double* wx = nullptr;            // [gates * hidden]: W x_t + Wb
  const double* r = nullptr;             // [gates * hidden, hidden]
  const double* rb = nullptr;            // [gates * hidden]
  const double* p = nullptr;             // [3 * hidden] of LSTM, or null
  const RecurrentFunction* f = nullptr;  // this direction's functions
  double clip = 0;
  // sum over j of r[row, j] * v[j]
  double dot_r(int64_t row, const std::vector<double>& v) const;
  double clipped(double x) const { return clip > 0 ? (x > clip ? clip : x < -clip ? -clip : x) : x; }
};
// Runs `step`, which replaces h and c by those after one time step, over every sequence, and stores the outputs.
void run_recurrent(const RecurrentFields& f, Inputs in, Outputs out, const std::function<void(RecurrentState&)>& step);

// Attributes: common ones of a node of ONNX, and back.
template <class O>
O recurrent_op(const OnnxNode& node) {
  O op;
  const auto direction = node.attr<std::string>("direction", "forward");
  bool known = false;
  for (size_t i = 0; i < std::size(kDirectionNames); ++i)
    if (direction == kDirectionNames[i]) op.direction = static_cast<Direction>(i), known = true;
  require(known, ErrorKind::model, "direction '", direction, "'");
  op.activations = node.attr<std::vector<std::string>>("activations", {});
  op.activation_alpha = node.attr<std::vector<float>>("activation_alpha", {});
  op.activation_beta = node.attr<std::vector<float>>("activation_beta", {});
  op.clip = node.attr<float>("clip", 0.0f);
  op.layout = node.attr<int64_t>("layout", 0) != 0 ? SequenceLayout::batch_first : SequenceLayout::time_first;
  const Shape& r = node.needed(2)->type.shape;
  if (node.has("hidden_size") && r.has_rank() && r.rank() == 3 && r[2].is_number())
    require(r[2] == Dim(node.attr<int64_t>("hidden_size", 0)), ErrorKind::model, "hidden_size is ", node.attr<int64_t>("hidden_size", 0),
            ", the recurrence weight has ", r[2]);
  return op;
}
// The inputs of a node without absent ones at the end.
std::vector<Value*> trimmed_inputs(const OnnxNode& node);
template <class O>
std::optional<OnnxForm> recurrent_form(const O& op, const Node& node, const char* op_type) {
  const Shape& r = node.inputs[2]->type.shape;
  if (!r.has_rank() || !r[2].is_number()) return std::nullopt;
  OnnxForm form{op_type, {}, ""};
  form.attributes["hidden_size"] = r[2].number();
  form.attributes["direction"] = std::string(kDirectionNames[static_cast<size_t>(op.direction)]);
  if (!op.activations.empty()) form.attributes["activations"] = op.activations;
  if (!op.activation_alpha.empty()) form.attributes["activation_alpha"] = op.activation_alpha;
  if (!op.activation_beta.empty()) form.attributes["activation_beta"] = op.activation_beta;
  if (op.clip != 0) form.attributes["clip"] = op.clip;
  if (op.layout == SequenceLayout::batch_first) form.attributes["layout"] = int64_t{1};
  return form;
}

}  // namespace onecard
