// quantize(conv(x), q) => conv(x) {output=q}; matmul likewise
// quantize(max_pool(x), q) => max_pool(quantize(x, q)); likewise every node of one result that only moves or chooses numbers, but pad
// conv(y, w, b, residual v), quantize(v, q) => the residual is read as quantize(v, q) too, where v comes from a conv or matmul
//   q has one scale; every other reader of the value is a quantize with the same q.
#include <algorithm>

#include "lib/ops/conv.h"
#include "lib/ops/data_ops.h"
#include "lib/ops/matmul.h"
#include "lib/ops/quantize.h"
#include "passes/match.h"
#include "passes/movers.h"

namespace onecard {

namespace {

bool same_quantize(const Node* user, const Quantize& op) { return user->as<Quantize>() && user->op->same_fields(op); }

bool all_quantize_so(const Graph& graph, const Value* v, const Quantize& op) {
  return !graph.is_output(v) && std::all_of(v->users.begin(), v->users.end(), [&](const Node* u) { return same_quantize(u, op); });
}

// Every quantize of v becomes `made`, which takes over v's name and origin: it stands for the same real numbers.
bool stand_for_all(Graph& graph, Value* v, Value* made) {
  const std::vector<Node*> readers = v->users;
  for (Node* reader : readers) {
    if (!reader->as<Quantize>() || reader->output() == made) continue;
    if (can_stand_for(graph, reader->output(), made)) graph.replace_uses(reader->output(), made);
  }
  made->origin.insert(made->origin.end(), v->origin.begin(), v->origin.end());
  if (!graph.is_output(made)) std::swap(v->name, made->name);
  return true;
}

template <class O>
bool fuse_output(Graph& graph, const Quantize& op, Value* x) {
  Node* producer = producer_of<O>(x);
  if (!producer || producer->as<O>()->output || x->type.dtype != DType::f32) return false;
  O fused = *producer->as<O>();
  fused.output = op.quant;
  fused.output_dtype = op.dtype;
  if (!inferred(fused, producer->inputs)) return false;
  return stand_for_all(graph, x, emit(graph, *producer, std::move(fused), producer->inputs));
}

// Whether the op on quantized inputs gives the same quantization.
bool keeps_quantization(const Node& node, size_t count, const Quantize& op) {
  std::vector<Value> probes(count);
  std::vector<Value*> in = node.inputs;
  for (size_t i = 0; i < count; ++i) {
    probes[i].type = TensorType(op.dtype, in[i]->type.shape, op.quant);
    in[i] = &probes[i];
  }
  const auto type = inferred(*node.op, in);
  return type && type->dtype == op.dtype && type->quant && *type->quant == *op.quant;
}

bool move_up(Graph& graph, const Quantize& op, Value* x) {
  Node* mover = x->producer;
  if (!mover || mover->outputs.size() != 1) return false;
  const size_t count = carriers(*mover);
  if (count == 0 || mover->as<Pad>() || !keeps_quantization(*mover, count, op)) return false;
  std::vector<Value*> in = mover->inputs;
  for (size_t i = 0; i < count; ++i) {
    if (in[i]->constant || in[i]->type.quant || in[i]->type.dtype != DType::f32) return false;
  }
  for (size_t i = 0; i < count; ++i) in[i] = graph.add_before(*mover, std::make_shared<const Quantize>(op), {in[i]}, in[i]->name + ".int8").output();
  return stand_for_all(graph, x, graph.add_before(*mover, mover->op, std::move(in), x->name).output());
}

// Whether a conv reads v as its residual alone, and takes it quantized.
bool is_residual_reader(const Node& user, Value* v, const Quantize& op) {
  if (!user.as<Conv>() || user.input(3) != v || std::count(user.inputs.begin(), user.inputs.end(), v) != 1) return false;
  Value probe;
  probe.type = TensorType(op.dtype, v->type.shape, op.quant);
  std::vector<Value*> in = user.inputs;
  in[3] = &probe;
  return inferred(*user.op, in).has_value();
}

bool quantize_residuals(Graph& graph, const Quantize& op, Value* v) {
  if (graph.is_output(v) || !(producer_of<Conv>(v) || producer_of<MatMul>(v))) return false;
  std::vector<Node*> residuals;
  for (Node* user : v->users) {
    if (same_quantize(user, op)) continue;
    if (!is_residual_reader(*user, v, op)) return false;
    residuals.push_back(user);
  }
  if (residuals.empty()) return false;
  const auto first = std::find_if(graph.nodes().begin(), graph.nodes().end(),
                                  [&](const Node& n) { return std::find(v->users.begin(), v->users.end(), &n) != v->users.end(); });
  Value* made = graph.add_before(*first, std::make_shared<const Quantize>(op), {v}, v->name + ".int8").output();
  for (Node* user : residuals) {
    std::vector<Value*> in = user->inputs;
    in[3] = made;
    replace_inputs(graph, *user, std::move(in));
  }
  for (Node* user : std::vector<Node*>(v->users))
    if (user->output() != made && same_quantize(user, op) && can_stand_for(graph, user->output(), made)) graph.replace_uses(user->output(), made);
  return true;
}

bool rule(Graph& graph, Node& node, const Quantize& op) {
  Value* x = node.inputs[0];
  if (!op.quant || op.quant->axis >= 0 || (op.dtype != DType::i8 && op.dtype != DType::u8) || x->constant) return false;
  if (!all_quantize_so(graph, x, op)) return quantize_residuals(graph, op, x);
  return fuse_output<Conv>(graph, op, x) || fuse_output<MatMul>(graph, op, x) || move_up(graph, op, x);
}

}  // namespace

int64_t fuse_quantize(Graph& graph, PassContext&) { return rewrite_each<Quantize>(graph, rule); }

}  // namespace onecard
