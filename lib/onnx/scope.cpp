#include "lib/onnx/scope.h"

namespace onecard {

Value* Scope::lookup(const std::string& name) {
  if (name.empty()) return nullptr;
  if (const auto found = names_.find(name); found != names_.end()) return found->second;
  if (unknown_.contains(name)) throw UnknownValue();
  if (const auto why = missing_.find(name); why != missing_.end()) fail(ErrorKind::model, "value '", name, "' cannot be used: ", why->second);
  Value* outer = enclosing_ ? enclosing_->lookup(name) : nullptr;
  require(outer != nullptr, ErrorKind::model, "value '", name, "' is neither an input, an initializer nor the output of an earlier node");
  Value* inner = nullptr;
  if (outer->is_constant()) {
    Value*& constant = constants_[outer];
    if (!constant) {
      constant = graph_.add_constant(graph_.unique(name), outer->constant);
      constant->origin = {name};
    }
    inner = constant;
  } else {
    inner = capture(outer);
  }
  names_[name] = inner;
  return inner;
}

Value* Scope::capture(Value* outer) {
  for (const Capture& c : captures_)
    if (c.outer == outer) return c.inner;
  Value* inner = graph_.add_input(graph_.unique(outer->name), outer->type);
  inner->origin = outer->origin.empty() ? std::vector<std::string>{outer->name} : outer->origin;
  captures_.push_back({outer, inner});
  return inner;
}

void Scope::bind(const std::string& name, Value* v) {
  require(names_.emplace(name, v).second, ErrorKind::model, "two values are named '", name, "'");
  if (!v) return;
  if (!v->origin.empty()) {                           // it has an ONNX name already: one value, two names
    if (!frame_.is_call) v->origin.push_back(name);
    return;
  }
  name_value(v, frame_.prefix + name);
  if (!frame_.is_call) v->origin = {name};
}

// Names of the file go before names that were made up while importing.
void Scope::name_value(Value* v, const std::string& name) {
  if (v->name == name) return;
  if (graph_.unique(name) == name) return graph_.rename(v, name);
  Value* holder = graph_.find(name);
  const bool made_up = holder && holder->origin.empty();
  if (frame_.is_call || !made_up) return graph_.rename(v, graph_.unique(name));
  graph_.rename(holder, graph_.unique(name + "_inner"));
  graph_.rename(v, name);
}

}  // namespace onecard
