// if(c){body with %x} => if(c){body with %x.body1} where the network has another %x; loop and scan likewise
//   Every value that is computed then bears a name of its own in the whole network: what calibration sees of one is not taken for another's, and
//   layers in bodies can be told apart. Constants keep theirs, and so does the main graph.
#include "passes/bodies.h"
#include "passes/pass.h"

#include <unordered_set>

namespace onecard {

namespace {

using Names = std::unordered_set<std::string>;  // looked up, never iterated

int64_t name_in_bodies(Graph& graph, Names& taken);

int64_t name_values(Graph& body, Names& taken) {
  Names here;
  for (const Value& v : body.values()) here.insert(v.name);
  int64_t changes = 0;
  for (Value& v : body.values()) {
    if (v.constant || taken.insert(v.name).second) continue;
    std::string name;
    for (int64_t i = 1; name.empty() || taken.contains(name) || here.contains(name); ++i) name = v.name + ".body" + std::to_string(i);
    body.rename(&v, name);
    taken.insert(name);
    here.insert(name);
    ++changes;
  }
  return changes + name_in_bodies(body, taken);
}

int64_t name_in_bodies(Graph& graph, Names& taken) {
  int64_t changes = 0;
  for (auto it = graph.nodes().begin(); it != graph.nodes().end();) {
    Node& node = *it++;
    if (!node.op->subgraphs().empty()) changes += change_bodies(graph, node, [&](Graph& body) { return name_values(body, taken); });
  }
  if (changes) graph.erase_dead();
  return changes;
}

}  // namespace

int64_t name_body_values(Graph& graph, PassContext&) {
  Names taken;
  for (const Value& v : graph.values()) taken.insert(v.name);
  return name_in_bodies(graph, taken);
}

}  // namespace onecard
