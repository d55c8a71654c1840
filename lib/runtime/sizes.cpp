#include "lib/runtime/sizes.h"

#include <algorithm>
#include <set>

#include "lib/runtime/bind.h"

namespace onecard {

namespace {

constexpr int kMostTries = 400;

std::set<std::string> symbols_of(const Graph& graph) {
  std::set<std::string> found;
  for (const Value* v : graph.inputs)
    if (v->type.shape.has_rank())
      for (const Dim& d : v->type.shape.dims())
        for (auto& s : d.symbols()) found.insert(s);
  return found;
}

// Symbols whose values a given shape decides.
void solve(const Value& input, const Dims& shape, SymbolValues& known) {
  const Shape& declared = input.type.shape;
  require(declared.has_rank() && declared.rank() == static_cast<int64_t>(shape.size()), ErrorKind::usage, "--shape ", input.name, ": the input is ", input.type.text());
  for (int64_t i = 0; i < declared.rank(); ++i) {
    const int64_t n = shape[static_cast<size_t>(i)];
    const Dim d = declared[i].bind(known);
    if (d.is_number()) require(d.number() == n, ErrorKind::usage, "--shape ", input.name, ": extent ", i, " is ", d.number(), ", not ", n);
    else if (const auto s = d.symbols(); s.size() == 1 && d == Dim::symbol(s[0])) known[s[0]] = n;
  }
}

std::optional<std::vector<TensorType>> try_sizes(const Graph& graph, const SymbolValues& symbols, const std::map<std::string, Dims>& shapes, std::string& why_not) {
  auto types = input_types(graph, symbols);
  for (size_t i = 0; i < types.size(); ++i)
    if (const auto it = shapes.find(graph.inputs[i]->name); it != shapes.end()) types[i].shape = Shape::of(it->second);
  try {
    bind_graph(graph, types);
    return types;
  } catch (const Error& e) {
    if (e.kind != ErrorKind::model) throw;
    why_not = e.what();
    return std::nullopt;
  }
}

}  // namespace

std::string ChosenSizes::text() const {
  std::string out;
  for (const auto& [name, value] : symbols) out += (out.empty() ? "" : ", ") + name + "=" + std::to_string(value);
  return out;
}

ChosenSizes choose_sizes(const Graph& graph, const SymbolValues& given, const std::map<std::string, Dims>& shapes) {
  const auto symbols = symbols_of(graph);
  ChosenSizes chosen;
  for (const auto& [name, value] : given) {
    require(symbols.contains(symbol_name(name)), ErrorKind::usage, "--dim ", name, ": the model has no such symbol");
    chosen.symbols[symbol_name(name)] = value;
  }
  for (const auto& [name, shape] : shapes) {
    const auto it = std::find_if(graph.inputs.begin(), graph.inputs.end(), [&name = name](const Value* v) { return v->name == name; });
    require(it != graph.inputs.end(), ErrorKind::usage, "--shape ", name, ": the model has no such input");
    solve(**it, shape, chosen.symbols);
  }
  std::vector<std::string> open;
  for (const auto& s : symbols)
    if (!chosen.symbols.contains(s)) open.push_back(s);
  for (const auto& s : open) chosen.symbols[s] = 1;
  std::string why_not;
  if (auto types = try_sizes(graph, chosen.symbols, shapes, why_not)) {
    chosen.inputs = std::move(*types);
    return chosen;
  }
  const std::string first_reason = why_not;
  // One symbol away from 1, then two.
  int tries = 0;
  for (size_t a = 0; a < open.size(); ++a)
    for (size_t b = a; b < open.size(); ++b)
      for (const int64_t va : {int64_t{0}, int64_t{2}})
        for (const int64_t vb : {int64_t{0}, int64_t{2}}) {
          if ((a == b && va != vb) || ++tries > kMostTries) continue;
          SymbolValues attempt = chosen.symbols;
          attempt[open[a]] = va;
          attempt[open[b]] = vb;
          if (auto types = try_sizes(graph, attempt, shapes, why_not)) return {attempt, std::move(*types)};
        }
  fail(ErrorKind::model, "no sizes were found for which the model's shapes fit (give --dim or --shape): ", first_reason);
}

}  // namespace onecard
