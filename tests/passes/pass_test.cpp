// Every case of every pass: the structure it must lead to, equal numbers before and after, a valid graph, text that reads back, and
// outputs that keep their names. ONECARD_SOURCE is the repository's folder.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <random>
#include <set>

#include "lib/base/file.h"
#include "lib/ir/text.h"
#include "lib/ops/registry.h"
#include "tests/passes/case_file.h"

namespace onecard {

namespace {

const std::string kFolder = std::string(ONECARD_SOURCE) + "/tests/passes";

// Sizes 2, 3, 4 … for the symbols in order of their names; 3 where nothing is known.
SymbolValues sizes_of(const Graph& graph) {
  SymbolValues sizes;
  for (const Value* v : graph.inputs)
    for (int64_t i = 0; v->type.shape.has_rank() && i < v->type.shape.rank(); ++i)
      for (const std::string& s : v->type.shape[i].symbols()) sizes[s] = 0;
  int64_t next = 2;
  for (auto& [name, size] : sizes) size = next++;
  return sizes;
}

// Signed numbers of a seed: floats of a few units, small integers, booleans.
std::vector<Tensor> random_inputs(const Graph& graph, uint32_t seed) {
  const SymbolValues sizes = sizes_of(graph);
  std::mt19937 rng(seed);
  std::vector<Tensor> all;
  for (const Value* v : graph.inputs) {
    Dims dims;
    const Shape bound = v->type.shape.bind(sizes);
    for (const Dim& d : bound.dims()) dims.push_back(d.maybe().value_or(3));
    Tensor t(TensorType(v->type.dtype, Shape::of(dims), v->type.quant));
    for (int64_t i = 0; i < t.elements(); ++i) {
      const double u = (static_cast<double>(rng()) + 0.5) / 4294967296.0;
      if (is_float(t.dtype())) t.set(i, 8 * u - 4);
      else t.set_int(i, static_cast<int64_t>(u * 2));
    }
    all.push_back(std::move(t));
  }
  return all;
}

std::vector<Tensor> run(const Graph& graph, const std::vector<Tensor>& inputs) {
  std::vector<const Tensor*> in;
  for (const Tensor& t : inputs) in.push_back(&t);
  return run_reference(graph, in);
}

void expect_equal_numbers(const Tensor& a, const Tensor& b, const std::string& output) {
  ASSERT_EQ(a.dims(), b.dims()) << output;
  ASSERT_EQ(a.dtype(), b.dtype()) << output;
  double low = 0, high = 0, worst = 0;
  for (int64_t i = 0; i < a.elements(); ++i) {
    if (std::isnan(a.at(i)) || std::isinf(a.at(i))) {
      EXPECT_TRUE(a.at(i) == b.at(i) || (std::isnan(a.at(i)) && std::isnan(b.at(i)))) << output << "[" << i << "]";
      continue;
    }
    low = std::min(low, a.at(i));
    high = std::max(high, a.at(i));
    worst = std::max(worst, std::abs(a.at(i) - b.at(i)));
  }
  const double tolerance = a.dtype() == DType::f16 ? 4e-3 : a.dtype() == DType::bf16 ? 3e-2 : 1e-4;
  EXPECT_LE(worst, is_float(a.dtype()) ? tolerance * std::max(high - low, 1e-6) : 0) << output;
}

void expect_round_trip(const Graph& graph) {
  const std::string text = to_text(graph, ConstantText::elements);
  EXPECT_EQ(to_text(parse_graph(text), ConstantText::elements), text);
}

// Constants read at the same place hold the same bytes, in bodies too.
void expect_same_constants(const Graph& got, const Graph& want) {
  for (auto a = got.nodes().begin(), b = want.nodes().begin(); a != got.nodes().end(); ++a, ++b) {
    const auto bodies = a->op->subgraphs(), wanted = b->op->subgraphs();
    for (size_t i = 0; i < bodies.size(); ++i) expect_same_constants(*bodies[i], *wanted[i]);
    for (size_t i = 0; i < a->inputs.size(); ++i)
      if (a->inputs[i] && a->inputs[i]->constant) {
        EXPECT_TRUE(identical(*a->inputs[i]->constant, *b->inputs[i]->constant)) << "%" << a->inputs[i]->name << " in\n" << to_text(got, ConstantText::elements);
      }
  }
}

void check(PassCase c) {
  const Graph before = parse_graph(c.before);
  Graph graph = parse_graph(c.before);
  verify(graph);
  expect_round_trip(before);
  const int64_t changes = find_pass(c.pass)->run(graph, c.context);
  verify(graph);
  const Graph want = parse_graph(c.after.empty() ? c.before : c.after);
  EXPECT_EQ(changes > 0, !c.after.empty()) << changes << " changes; got\n" << to_text(graph);
  ASSERT_TRUE(same_structure(graph, want)) << "got\n" << to_text(graph) << "want\n" << to_text(want);
  if (c.exact) expect_same_constants(graph, want);
  expect_round_trip(graph);
  ASSERT_EQ(graph.outputs.size(), before.outputs.size());
  for (size_t i = 0; i < graph.outputs.size(); ++i) EXPECT_EQ(graph.outputs[i]->name, before.outputs[i]->name);
  for (size_t i = 0; i < graph.inputs.size(); ++i) EXPECT_EQ(graph.inputs[i]->name, before.inputs[i]->name);
  if (c.lossy) return;
  const std::vector<Tensor> inputs = random_inputs(before, 7);
  const auto a = run(before, inputs), b = run(graph, inputs);
  for (size_t i = 0; i < a.size(); ++i) expect_equal_numbers(a[i], b[i], graph.outputs[i]->name);
}

TEST(PruneGlobs, OneThatNamesNothingIsAnError) {
  const auto run = [](const PruneOptions& options) {
    Graph graph = parse_graph("graph(%x: f32[1,2]) { %w: f32[2,2] = constant %y = matmul(%x, %w) return %y }");
    PassContext context;
    context.prune = options;
    try {
      find_pass("prune_l1_unstructured")->run(graph, context);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind, ErrorKind::usage);
      return e.message;
    }
    return std::string();
  };
  PruneOptions options;
  options.amount = 0.5;
  options.only = {"w", "no.such*"};
  EXPECT_NE(run(options).find("--prune-only no.such*"), std::string::npos) << run(options);
  options.only = {"w"};
  EXPECT_EQ(run(options), "");
  options.only.clear();
  options.skip = {"x"};                               // an input is no weight
  EXPECT_NE(run(options).find("--prune-skip x"), std::string::npos) << run(options);
  options.skip = {"*"};
  EXPECT_NE(run(options).find("nothing to prune"), std::string::npos) << run(options);
}

TEST(BodyNames, NoTwoValuesOfANetworkShareOne) {
  Graph graph = parse_graph(R"(graph(%c: bool[], %x: f32[2]) {
    %r = unary(%x) {f=relu}
    %y = if(%c, %r) {then_branch=graph(%x: f32[2]) { %r = unary(%x) {f=relu} %r.body1 = unary(%r) {f=abs} return %r.body1 }, else_branch=graph(%x: f32[2]) { %r = unary(%x) {f=sqrt} return %r }}
    return %y
  })");
  PassContext context;
  EXPECT_GT(find_pass("name_body_values")->run(graph, context), 0);
  verify(graph);
  std::set<std::string> names;
  size_t values = 0;
  const auto count = [&](const Value* v) { names.insert(v->name), ++values; };
  const std::function<void(const Graph&)> look = [&](const Graph& g) {
    for (const Value* v : g.inputs) count(v);
    for (const Node& node : g.nodes()) {
      for (const Value* v : node.outputs) count(v);
      for (const GraphPtr& body : node.op->subgraphs()) look(*body);
    }
  };
  look(graph);
  EXPECT_EQ(names.size(), values) << to_text(graph);
}

class PassTest : public testing::TestWithParam<std::string> {};

TEST_P(PassTest, Cases) {
  const std::vector<PassCase> cases = read_cases(kFolder, GetParam());
  const auto positive = std::count_if(cases.begin(), cases.end(), [](const PassCase& c) { return !c.after.empty(); });
  EXPECT_GE(positive, 2) << "a pass needs two cases that it changes";
  EXPECT_GE(static_cast<int64_t>(cases.size()) - positive, 1) << "a pass needs a case that it must leave alone";
  for (const PassCase& c : cases) {
    SCOPED_TRACE(c.pass + ": " + c.name);
    try {
      check(c);
    } catch (const Error& e) {
      ADD_FAILURE() << e.what();
    }
  }
}

std::vector<std::string> pass_names() {
  std::vector<std::string> names;
  for (const PassInfo& p : all_passes()) names.emplace_back(p.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Passes, PassTest, testing::ValuesIn(pass_names()), [](const auto& info) { return info.param; });

TEST(PassFiles, EveryTextFileBelongsToAPass) {
  for (const auto& entry : std::filesystem::directory_iterator(kFolder))
    if (entry.path().extension() == ".ir") {
      EXPECT_NE(find_pass(entry.path().stem().string()), nullptr) << entry.path();
    }
}

TEST(PassFiles, EveryPassIsOneSourceFileThatOpensWithItsEquation) {
  for (const PassInfo& p : all_passes()) {
    const std::string text = read_text(std::string(ONECARD_SOURCE) + "/passes/" + std::string(p.name) + ".cpp");
    EXPECT_EQ(text.compare(0, 3, "// "), 0) << p.name;
    EXPECT_FALSE(p.equation.empty()) << p.name;
  }
}

}  // namespace

}  // namespace onecard
