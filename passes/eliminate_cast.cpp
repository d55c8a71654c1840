// cast(x) to x's own type => x        cast(cast(x, B), C) => cast(x, C), or x when C is x's type
//   B holds every value of x's type exactly, and the second cast treats B's values as it would treat x's: both integers or both floats,
//   or a way back to x's own type.
#include <limits>

#include "lib/ops/shape_ops.h"
#include "passes/match.h"

namespace onecard {

namespace {

// Bits of a number that a type holds exactly: integers without sign bit, significands of floats; 0 for types left alone.
int exact_bits(DType t) {
  switch (t) {
    case DType::boolean: return 1;
    case DType::f16: return 11;
    case DType::bf16: return 8;
    case DType::f32: return 24;
    case DType::f64: return 53;
    default:
      if (is_integer(t) && info(t).bits >= 8) return info(t).bits - (info(t).kind == DKind::sint ? 1 : 0);
      return 0;
  }
}

int exponent_bits(DType t) { return t == DType::f16 ? 5 : t == DType::bf16 || t == DType::f32 ? 8 : t == DType::f64 ? 11 : 0; }

// Whether every value of `from` is a value of `to`.
bool holds(DType to, DType from) {
  const int a = exact_bits(from), b = exact_bits(to);
  if (a == 0 || b < a || to == DType::boolean) return false;
  const DKind f = info(from).kind, t = info(to).kind;
  if (f == DKind::floating) return t == DKind::floating && exponent_bits(to) >= exponent_bits(from);
  if (t == DKind::floating) return to != DType::f16 || a < 15;
  return f != DKind::sint || t == DKind::sint;
}

// Whether casting v to c is the same from `narrow` as from the wider type it was put into.
bool same_from(DType narrow, DType wide, DType c) {
  if (c == narrow) return true;
  const bool integral = !is_float(narrow) && !is_float(wide);
  return (integral || (is_float(narrow) && is_float(wide))) && exact_bits(c) > 0;
}

bool rule(Graph& graph, Node& node, const Cast& op) {
  Value* x = node.inputs[0];
  if (x->type.quant || x->type.container != Container::tensor) return false;
  if (x->type.dtype == op.to) {
    if (!can_stand_for(graph, node.output(), x)) return false;
    graph.replace_uses(node.output(), x);
    return true;
  }
  const Node* inner = producer_of<Cast>(x);
  if (!inner) return false;
  Value* source = inner->inputs[0];
  const DType narrow = source->type.dtype;
  if (source->type.quant || !holds(x->type.dtype, narrow) || !same_from(narrow, x->type.dtype, op.to)) return false;
  if (narrow != op.to) return replace_node(graph, node, op, {source});
  if (!can_stand_for(graph, node.output(), source)) return false;
  graph.replace_uses(node.output(), source);
  return true;
}

}  // namespace

int64_t eliminate_cast(Graph& graph, PassContext&) { return rewrite_each<Cast>(graph, rule); }

}  // namespace onecard
