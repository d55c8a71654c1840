#include "lib/ir/graph.h"

#include <algorithm>
#include <map>

namespace onecard {

std::vector<InputInfo> input_infos(const std::vector<Value*>& in) {
  std::vector<InputInfo> infos;
  for (const Value* v : in) {
    InputInfo i;
    if (v) i = {v->type, v->constant, v->contents};
    else i.type.container = Container::none;
    infos.push_back(std::move(i));
  }
  return infos;
}

std::string Graph::unique(const std::string& wanted) const {
  const std::string base = wanted.empty() ? "v" : wanted;
  if (!names_.contains(base)) return base;
  for (int64_t i = 1;; ++i)
    if (auto n = base + "." + std::to_string(i); !names_.contains(n)) return n;
}

Value* Graph::new_value(const std::string& wanted, TensorType type) {
  Value v;
  v.name = unique(wanted);
  v.type = std::move(type);
  names_.insert(v.name);
  values_.push_back(std::move(v));
  return &values_.back();
}

Value* Graph::add_input(const std::string& wanted, TensorType type) {
  inputs.push_back(new_value(wanted, std::move(type)));
  return inputs.back();
}

Value* Graph::add_constant(const std::string& wanted, ConstTensor data) {
  Value* v = new_value(wanted, data->type());
  v->constant = std::move(data);
  return v;
}

namespace {
struct Inferred {
  std::vector<TensorType> types;
  std::optional<std::vector<Dim>> contents;
};
Inferred infer_node(const Op& op, const std::vector<Value*>& in, const std::string& name) {
  ErrorScope scope(std::string(op.name()) + (name.empty() ? "" : " '" + name + "'"));
  const auto infos = input_infos(in);
  const InferContext context(infos);
  Inferred inferred{op.infer(context), op.infer_contents(context)};
  for (const auto& type : inferred.types)
    if (type.is_static()) element_count(type.shape.numbers());  // raises model on sizes that no tensor has
  return inferred;
}
}  // namespace

Node& Graph::insert(std::list<Node>::iterator at, std::shared_ptr<const Op> op, std::vector<Value*> in, const std::string& hint,
                    const std::vector<std::string>& names) {
  Inferred inferred = infer_node(*op, in, hint);
  const auto place = nodes_.emplace(at);
  Node& node = *place;
  node.op = std::move(op);
  node.inputs = std::move(in);
  node.place_ = place;
  for (Value* v : node.inputs)
    if (v) v->users.push_back(&node);
  for (size_t i = 0; i < inferred.types.size(); ++i) {
    const bool named = i < names.size() && !names[i].empty();
    Value* out = new_value(named ? names[i] : i == 0 ? hint : hint + "." + std::to_string(i), std::move(inferred.types[i]));
    if (named) out->origin = {names[i]};
    out->producer = &node;
    node.outputs.push_back(out);
  }
  if (!node.outputs.empty()) node.outputs[0]->contents = std::move(inferred.contents);
  return node;
}

Node& Graph::add(std::shared_ptr<const Op> op, std::vector<Value*> in, const std::string& hint, const std::vector<std::string>& names) {
  return insert(nodes_.end(), std::move(op), std::move(in), hint, names);
}
Node& Graph::add_before(Node& at, std::shared_ptr<const Op> op, std::vector<Value*> in, const std::string& hint) {
  Node& node = insert(at.place_, std::move(op), std::move(in), hint, {});
  node.name = at.name;
  return node;
}

bool Graph::is_output(const Value* v) const { return std::find(outputs.begin(), outputs.end(), v) != outputs.end(); }

Value* Graph::find(std::string_view wanted) const {
  if (!names_.contains(std::string(wanted))) return nullptr;
  for (const auto& v : values_)
    if (v.name == wanted) return const_cast<Value*>(&v);
  return nullptr;
}

void Graph::replace_uses(Value* from, Value* to) {
  if (from == to) return;
  for (Node* user : from->users) {
    std::replace(user->inputs.begin(), user->inputs.end(), from, to);
    to->users.push_back(user);
  }
  from->users.clear();
  to->origin.insert(to->origin.end(), from->origin.begin(), from->origin.end());
  if (!is_output(from)) return;
  // The public name moves along, unless `to` has a public name of its own (an input, or an output already).
  const bool to_is_public = is_output(to) || std::find(inputs.begin(), inputs.end(), to) != inputs.end();
  require(!to_is_public, ErrorKind::internal, "graph output '", from->name, "' cannot become '", to->name, "', which has a public name");
  std::replace(outputs.begin(), outputs.end(), from, to);
  std::swap(from->name, to->name);
}

void Graph::set_inputs(Node& node, std::vector<Value*> in) {
  const Inferred inferred = infer_node(*node.op, in, node.name);
  require(inferred.types.size() == node.outputs.size(), ErrorKind::internal, "set_inputs changes the number of outputs");
  for (size_t i = 0; i < node.outputs.size(); ++i)
    require(inferred.types[i] == node.outputs[i]->type, ErrorKind::internal, "set_inputs changes ", node.outputs[i]->name, " from ",
            node.outputs[i]->type, " to ", inferred.types[i]);
  for (Value* v : node.inputs)
    if (v) v->users.erase(std::find(v->users.begin(), v->users.end(), &node));
  node.inputs = std::move(in);
  for (Value* v : node.inputs)
    if (v) v->users.push_back(&node);
}

void Graph::erase_dead() {
  std::unordered_set<const Value*> dead;
  const std::unordered_set<const Value*> kept(outputs.begin(), outputs.end());
  for (auto it = nodes_.end(); it != nodes_.begin();) {
    --it;
    const bool live = std::any_of(it->outputs.begin(), it->outputs.end(), [&](Value* v) { return !v->users.empty() || kept.contains(v); });
    if (live) continue;
    for (Value* v : it->inputs)
      if (v) v->users.erase(std::find(v->users.begin(), v->users.end(), &*it));
    dead.insert(it->outputs.begin(), it->outputs.end());
    it = nodes_.erase(it);
  }
  for (auto it = values_.begin(); it != values_.end();) {
    const bool unused_constant = it->constant && it->users.empty() && !kept.contains(&*it);
    if (!unused_constant && !dead.contains(&*it)) {
      ++it;
      continue;
    }
    names_.erase(it->name);
    it = values_.erase(it);
  }
}

Graph Graph::clone() const {
  Graph copy;
  std::map<const Value*, Value*> twin;
  copy.name = name;
  for (const auto& v : values_) {
    copy.values_.push_back(v);
    Value& w = copy.values_.back();
    w.producer = nullptr;
    w.users.clear();
    twin[&v] = &w;
  }
  copy.names_ = names_;
  for (const auto& n : nodes_) {
    const auto place = copy.nodes_.emplace(copy.nodes_.end());
    place->op = n.op;
    place->name = n.name;
    place->place_ = place;
    for (const Value* v : n.inputs) {
      place->inputs.push_back(v ? twin.at(v) : nullptr);
      if (v) place->inputs.back()->users.push_back(&*place);
    }
    for (const Value* v : n.outputs) {
      place->outputs.push_back(twin.at(v));
      place->outputs.back()->producer = &*place;
    }
  }
  for (const Value* v : inputs) copy.inputs.push_back(twin.at(v));
  for (const Value* v : outputs) copy.outputs.push_back(twin.at(v));
  return copy;
}

bool same_structure(const Graph& a, const Graph& b) {
  if (a.inputs.size() != b.inputs.size() || a.outputs.size() != b.outputs.size() || a.nodes().size() != b.nodes().size()) return false;
  std::map<const Value*, const Value*> pair;
  pair[nullptr] = nullptr;
  const auto match = [&](const Value* u, const Value* v) {
    if (u && v && !pair.contains(u) && u->constant && v->constant) pair[u] = v;
    const auto it = pair.find(u);
    return it != pair.end() && it->second == v && (!u || u->type == v->type);
  };
  for (size_t i = 0; i < a.inputs.size(); ++i) {
    pair[a.inputs[i]] = b.inputs[i];
    if (!(a.inputs[i]->type == b.inputs[i]->type)) return false;
  }
  for (auto x = a.nodes().begin(), y = b.nodes().begin(); x != a.nodes().end(); ++x, ++y) {
    if (!x->op->same_fields(*y->op) || x->inputs.size() != y->inputs.size() || x->outputs.size() != y->outputs.size()) return false;
    for (size_t i = 0; i < x->inputs.size(); ++i)
      if (!match(x->inputs[i], y->inputs[i])) return false;
    for (size_t i = 0; i < x->outputs.size(); ++i) pair[x->outputs[i]] = y->outputs[i];
  }
  for (size_t i = 0; i < a.outputs.size(); ++i)
    if (!match(a.outputs[i], b.outputs[i])) return false;
  return true;
}

}  // namespace onecard
