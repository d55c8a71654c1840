// f(x), f(x) => one f(x), its result read twice        equal constants => one constant        equal shapes => one of them
//   f is pure, its fields and inputs are the same; constants have the same type and bytes; of integers computed from shapes every element
//   is the same number or expression of symbols.
//   Constants whose bytes are not in memory are the same only when they share their storage.
#include <algorithm>
#include <cstring>

#include "passes/match.h"

namespace onecard {

namespace {

// A number equal for equal bytes: FNV over eight bytes at a time, of the beginning alone, since weights that differ differ there.
uint64_t hash_bytes(const Tensor& t) {
  constexpr size_t kHashedBytes = 1024;
  uint64_t h = 0xcbf29ce484222325ull;
  const auto size = static_cast<size_t>(t.bytes()), end = std::min(size, kHashedBytes);
  for (size_t i = 0; i < end; i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, t.raw() + i, std::min<size_t>(8, end - i));
    h = (h ^ word) * 0x100000001b3ull;
    h ^= h >> 29;
  }
  return h;
}

bool is_mergeable(const Graph& graph, const Value& v) {
  return v.constant && v.constant->has_value() && v.type.container == Container::tensor && v.type.dtype != DType::string && !graph.is_output(&v) && !v.users.empty();
}

// Looks only at what has the type of another constant: most weights are never read.
int64_t merge_constants(Graph& graph) {
  std::map<std::string, std::vector<Value*>> by_type;
  for (Value& v : graph.values())
    if (is_mergeable(graph, v)) by_type[v.type.text()].push_back(&v);
  int64_t changes = 0;
  for (auto& [type, values] : by_type) {
    if (values.size() < 2) continue;
    std::map<uint64_t, std::vector<Value*>> kept;
    std::map<const Tensor*, Value*> same_storage;
    for (Value* v : values) {
      if (const auto [it, fresh] = same_storage.emplace(v->constant.get(), v); !fresh) {
        graph.replace_uses(v, it->second);
        ++changes;
        continue;
      }
      if (v->constant->is_deferred()) continue;
      auto& alike = kept[hash_bytes(*v->constant)];
      const auto twin = std::find_if(alike.begin(), alike.end(), [&](const Value* k) { return identical(*k->constant, *v->constant); });
      if (twin == alike.end()) {
        alike.push_back(v);
        continue;
      }
      graph.replace_uses(v, *twin);
      ++changes;
    }
  }
  return changes;
}

bool merge_node(Graph& graph, Node& twin, Node& node) {
  for (size_t i = 0; i < node.outputs.size(); ++i)
    if (!can_stand_for(graph, node.outputs[i], twin.outputs[i])) return false;
  for (size_t i = 0; i < node.outputs.size(); ++i) graph.replace_uses(node.outputs[i], twin.outputs[i]);
  return true;
}

int64_t merge_nodes(Graph& graph) {
  std::map<std::pair<std::string_view, std::vector<Value*>>, std::vector<Node*>> seen;  // looked up, never iterated
  int64_t changes = 0;
  for (Node& node : graph.nodes()) {
    if (!node.op->is_pure() || node.outputs.empty()) continue;
    auto& alike = seen[{node.op->name(), node.inputs}];
    bool merged = false;
    for (Node* twin : alike) {
      merged = twin->outputs.size() == node.outputs.size() && node.op->subgraphs().empty() && twin->op->same_fields(*node.op) && merge_node(graph, *twin, node);
      if (merged) break;
    }
    if (merged) ++changes;
    else alike.push_back(&node);
  }
  return changes;
}

// Every element of an integer value as text, when each is known as number or expression.
std::optional<std::string> known_contents(const Value& v) {
  if (!v.contents || v.type.container != Container::tensor || v.type.quant) return std::nullopt;
  std::string text = v.type.text();
  for (const Dim& d : *v.contents) {
    if (d.is_unknown()) return std::nullopt;
    text += " " + d.text();
  }
  return text;
}

int64_t merge_shapes(Graph& graph) {
  std::map<std::string, Value*> first;
  int64_t changes = 0;
  for (Node& node : graph.nodes()) {
    if (node.outputs.empty() || !node.op->is_pure() || (node.output()->users.empty() && !graph.is_output(node.output()))) continue;
    const auto text = known_contents(*node.output());
    if (!text) continue;
    const auto [it, fresh] = first.emplace(*text, node.output());
    if (fresh || !can_stand_for(graph, node.output(), it->second)) continue;
    graph.replace_uses(node.output(), it->second);
    ++changes;
  }
  return changes;
}

}  // namespace

int64_t eliminate_common_subexpressions(Graph& graph, PassContext&) {
  int64_t changes = merge_constants(graph);
  changes += merge_shapes(graph);
  changes += merge_nodes(graph);
  graph.erase_dead();
  return changes;
}

}  // namespace onecard
