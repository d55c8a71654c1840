#include "lib/runtime/sizes.h"

#include <algorithm>
#include <set>
#include <span>

#include "lib/ops/body_types.h"
#include "lib/runtime/bind.h"

namespace onecard {

namespace {

constexpr int kMostTries = 400;
// Tried for symbols one by one where 1 does not fit, and for two at a time; nothing at all is the last resort.
constexpr int64_t kSingle[] = {2, 3, 4, 8, 16, 32, 64, 128, 256, 512, 1024}, kPaired[] = {2, 16, 128};
constexpr int64_t kNothing[] = {0};
constexpr int kMostNesting = 64;

// Bodies are looked at too: everything must fit, or only the graph around them (the sizes that a branch takes may be its own).
enum class Within : uint8_t { bodies, graph };

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
  require(declared.has_rank() && declared.rank() == static_cast<int64_t>(shape.size()), ErrorKind::usage, "--shape ", input.name, ": the input is ",
          input.type);
  for (int64_t i = 0; i < declared.rank(); ++i) {
    const int64_t n = shape[static_cast<size_t>(i)];
    const Dim d = declared[i].bind(known);
    if (d.is_number()) require(d.number() == n, ErrorKind::usage, "--shape ", input.name, ": extent ", i, " is ", d.number(), ", not ", n);
    else if (const auto s = d.symbols(); s.size() == 1 && d == Dim::symbol(s[0])) known[s[0]] = n;
  }
}

// Raises model unless the graph fits these types, and every body those it is given, as far as they are known.
void fit(const Graph& graph, const std::vector<TensorType>& types, Within within, int depth = 0) {
  const Graph bound = bind_graph(graph, types);
  if (within == Within::graph || depth == kMostNesting) return;
  for (const Node& n : bound.nodes()) {
    const auto* holder = dynamic_cast<const HoldsBodies*>(n.op.get());
    if (!holder) continue;
    const auto infos = input_infos(n.inputs);
    const auto inputs = holder->body_inputs(InferContext(infos));
    const auto bodies = n.op->subgraphs();
    for (size_t i = 0; i < bodies.size(); ++i) fit(*bodies[i], inputs[i], within, depth + 1);
  }
}

std::optional<std::vector<TensorType>> try_sizes(const Graph& graph, const SymbolValues& symbols, const std::map<std::string, Dims>& shapes,
                                                 Within within, std::string& why_not) {
  auto types = input_types(graph, symbols);
  for (size_t i = 0; i < types.size(); ++i)
    if (const auto it = shapes.find(graph.inputs[i]->name); it != shapes.end()) types[i].shape = Shape::of(it->second);
  try {
    fit(graph, types, within);
    return types;
  } catch (const Error& e) {
    if (e.kind != ErrorKind::model) throw;
    why_not = e.what();
    return std::nullopt;
  }
}

// The first sizes that fit: all 1, then one symbol apart, then two.
std::optional<ChosenSizes> search(const Graph& graph, const SymbolValues& ones, const std::vector<std::string>& open,
                                  const std::map<std::string, Dims>& shapes, Within within, std::string& reason) {
  int tries = 0;
  const auto attempt = [&](const std::vector<std::pair<std::string, int64_t>>& changes) -> std::optional<ChosenSizes> {
    if (++tries > kMostTries) return std::nullopt;
    SymbolValues symbols = ones;
    for (const auto& [name, value] : changes) symbols[name] = value;
    std::string why_not;
    auto types = try_sizes(graph, symbols, shapes, within, why_not);
    if (types) return ChosenSizes{std::move(symbols), std::move(*types)};
    if (reason.empty()) reason = why_not;
    return std::nullopt;
  };
  if (auto found = attempt({})) return found;
  for (const auto& [single, paired] : {std::pair<std::span<const int64_t>, std::span<const int64_t>>(kSingle, kPaired), {kNothing, kNothing}}) {
    for (const int64_t value : single)
      for (const auto& symbol : open)
        if (auto found = attempt({{symbol, value}})) return found;
    for (size_t a = 0; a < open.size(); ++a)
      for (size_t b = a + 1; b < open.size(); ++b)
        for (const int64_t va : paired)
          for (const int64_t vb : paired)
            if (auto found = attempt({{open[a], va}, {open[b], vb}})) return found;
  }
  return std::nullopt;
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
  std::string first_reason;
  for (const Within within : {Within::bodies, Within::graph})
    if (auto found = search(graph, chosen.symbols, open, shapes, within, first_reason)) return *found;
  fail(ErrorKind::model, "no sizes were found for which the model's shapes fit (give --dim or --shape): ", first_reason);
}

}  // namespace onecard
