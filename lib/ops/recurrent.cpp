#include "lib/ops/recurrent.h"

#include <algorithm>
#include <cmath>

#include "lib/base/parallel.h"
#include "lib/ops/real_values.h"

namespace onecard {

namespace {

// One row per activation that ONNX allows in recurrent operators; NaN: the function has no such parameter.
struct FunctionRow {
  std::string_view name;
  double (*function)(double, double, double);
  double alpha, beta;
};
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
const FunctionRow kFunctions[] = {
    {"relu", [](double x, double, double) { return x > 0 ? x : 0; }, kNone, kNone},
    {"tanh", [](double x, double, double) { return std::tanh(x); }, kNone, kNone},
    {"sigmoid", [](double x, double, double) { return 1 / (1 + std::exp(-x)); }, kNone, kNone},
    {"affine", [](double x, double a, double b) { return a * x + b; }, 1.0, 0.0},
    {"leakyrelu", [](double x, double a, double) { return x >= 0 ? x : a * x; }, 0.01, kNone},
    {"thresholdedrelu", [](double x, double a, double) { return x >= a ? x : 0; }, 1.0, kNone},
    {"scaledtanh", [](double x, double a, double b) { return a * std::tanh(b * x); }, 1.0, 1.0},
    {"hardsigmoid", [](double x, double a, double b) { return std::min(std::max(a * x + b, 0.0), 1.0); }, 0.2, 0.5},
    {"elu", [](double x, double a, double) { return x >= 0 ? x : a * std::expm1(x); }, 1.0, kNone},
    {"softsign", [](double x, double, double) { return x / (1 + std::abs(x)); }, kNone, kNone},
    {"softplus", [](double x, double, double) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }, kNone, kNone},
};

const FunctionRow& function_row(std::string_view name) {
  std::string lower(name);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  for (const FunctionRow& row : kFunctions)
    if (row.name == lower) return row;
  fail(ErrorKind::model, "activation '", name, "' is not one of the recurrent operators'");
}

void expect_shape(const InferContext& in, size_t i, const char* what, const std::vector<Dim>& wanted) {
  if (!in.has(i) || !in.shape(i).has_rank()) return;
  const Shape& s = in.shape(i);
  bool fits = s.rank() == static_cast<int64_t>(wanted.size());
  for (size_t a = 0; fits && a < wanted.size(); ++a) fits = !wanted[a].is_number() || !s.dims()[a].is_number() || wanted[a] == s.dims()[a];
  require(fits, ErrorKind::model, what, " has shape ", s, " where ", Shape(wanted), " is needed");
}

Dim axis_or_unknown(const Shape& s, int64_t axis, int64_t rank) {
  if (!s.has_rank()) return Dim::unknown();
  require(s.rank() == rank, ErrorKind::model, "an input of rank ", rank, " is needed, its shape is ", s);
  return s[axis];
}

}  // namespace

std::vector<RecurrentFunction> recurrent_functions(const RecurrentFields& f) {
  const size_t each = f.defaults.size(), count = each * static_cast<size_t>(directions(f.direction));
  require(f.activations.empty() || f.activations.size() == count, ErrorKind::model, f.activations.size(), " activations where ", count,
          " are needed");
  std::vector<RecurrentFunction> out;
  size_t alpha = 0, beta = 0;
  for (size_t i = 0; i < count; ++i) {
    const FunctionRow& row = function_row(f.activations.empty() ? f.defaults[i % each] : std::string_view(f.activations[i]));
    RecurrentFunction g{row.function, row.alpha, row.beta};
    if (!std::isnan(row.alpha) && alpha < f.alpha.size()) g.alpha = f.alpha[alpha++];
    if (!std::isnan(row.beta) && beta < f.beta.size()) g.beta = f.beta[beta++];
    out.push_back(g);
  }
  return out;
}

std::vector<TensorType> infer_recurrent(const RecurrentFields& f, const InferContext& in, int64_t states) {
  in.type(1);  // raises when it is missing
  recurrent_functions(f);
  const DType t = in.dtype(0);
  visit_float(t, [](auto) {});
  for (size_t i : {1, 2, 3, 5, 6, 7})
    if (in.has(i)) require(in.dtype(i) == t && !in.type(i).quant, ErrorKind::model, "input ", i, " is ", in.type(i), ", x is ", in.type(0));
  if (in.has(4)) require(in.dtype(4) == DType::i32, ErrorKind::model, "sequence_lens is ", info(in.dtype(4)).name, ", it must be i32");
  const bool batch_first = f.layout == SequenceLayout::batch_first;
  const Dim dirs = directions(f.direction), hidden = axis_or_unknown(in.shape(2), 2, 3), width = axis_or_unknown(in.shape(0), 2, 3);
  const Dim time = axis_or_unknown(in.shape(0), batch_first ? 1 : 0, 3), batch = axis_or_unknown(in.shape(0), batch_first ? 0 : 1, 3);
  const Dim rows = hidden * Dim(f.gates);
  expect_shape(in, 1, "the weight", {dirs, rows, width});
  expect_shape(in, 2, "the recurrence weight", {dirs, rows, hidden});
  expect_shape(in, 3, "the bias", {dirs, rows * 2});
  expect_shape(in, 4, "sequence_lens", {batch});
  const std::vector<Dim> state = batch_first ? std::vector<Dim>{batch, dirs, hidden} : std::vector<Dim>{dirs, batch, hidden};
  expect_shape(in, 5, "initial_h", state);
  if (states == 2) expect_shape(in, 6, "initial_c", state);
  if (states == 2) expect_shape(in, 7, "the peephole weight", {dirs, hidden * 3});
  std::vector<TensorType> out{TensorType(t, batch_first ? Shape{batch, time, dirs, hidden} : Shape{time, dirs, batch, hidden})};
  for (int64_t i = 0; i < states; ++i) out.push_back(TensorType(t, Shape(state)));
  return out;
}

double RecurrentState::dot_r(int64_t row, const std::vector<double>& v) const {
  const double* weights = r + row * static_cast<int64_t>(v.size());
  double sum = 0;
  for (size_t j = 0; j < v.size(); ++j) sum += weights[j] * v[j];
  return sum;
}

namespace {

// A whole run: numbers of the inputs, and where the elements of one sequence lie.
struct RecurrentRun {
  int64_t time = 0, batch = 0, width = 0, hidden = 0, dirs = 1, rows = 0;
  bool batch_first = false;
  std::vector<double> x, w, r, b, h, c, p;
  std::vector<int64_t> lengths;
  std::vector<RecurrentFunction> functions;

  int64_t x_at(int64_t t, int64_t n) const { return (batch_first ? n * time + t : t * batch + n) * width; }
  int64_t y_at(int64_t t, int64_t d, int64_t n) const { return (batch_first ? (n * time + t) * dirs + d : (t * dirs + d) * batch + n) * hidden; }
  int64_t state_at(int64_t d, int64_t n) const { return (batch_first ? n * dirs + d : d * batch + n) * hidden; }
  std::vector<double> initial(const std::vector<double>& from, int64_t d, int64_t n) const {
    if (from.empty()) return std::vector<double>(static_cast<size_t>(hidden), 0.0);
    return {from.begin() + state_at(d, n), from.begin() + state_at(d, n) + hidden};
  }
};

RecurrentRun read_run(const RecurrentFields& f, Inputs in) {
  RecurrentRun run;
  const auto numbers = [&](size_t i) { return i < in.size() && in[i] ? to_doubles(*in[i]) : std::vector<double>{}; };
  run.batch_first = f.layout == SequenceLayout::batch_first;
  run.time = in[0]->dims()[run.batch_first ? 1 : 0];
  run.batch = in[0]->dims()[run.batch_first ? 0 : 1];
  run.width = in[0]->dims()[2];
  run.hidden = in[2]->dims()[2];
  run.dirs = directions(f.direction);
  run.rows = run.hidden * f.gates;
  run.x = numbers(0), run.w = numbers(1), run.r = numbers(2), run.b = numbers(3), run.h = numbers(5), run.c = numbers(6), run.p = numbers(7);
  if (run.b.empty()) run.b.assign(static_cast<size_t>(run.dirs * 2 * run.rows), 0.0);
  run.lengths.assign(static_cast<size_t>(run.batch), run.time);
  if (in.size() > 4 && in[4]) run.lengths = to_ints(*in[4]);
  for (int64_t n : run.lengths) require(n >= 0 && n <= run.time, ErrorKind::model, "sequence_lens holds ", n, ", the input has ", run.time, " steps");
  run.functions = recurrent_functions(f);
  return run;
}

void run_sequence(const RecurrentRun& run, const RecurrentFields& f, int64_t d, int64_t n, Outputs out,
                  const std::function<void(RecurrentState&)>& step) {
  RecurrentState s;
  s.h = run.initial(run.h, d, n);
  if (out.size() > 2) s.c = run.initial(run.c, d, n);
  s.r = run.r.data() + d * run.rows * run.hidden;
  const double* wb = run.b.data() + d * 2 * run.rows;
  s.rb = wb + run.rows;
  s.p = run.p.empty() ? nullptr : run.p.data() + d * 3 * run.hidden;
  s.f = run.functions.data() + static_cast<size_t>(d) * f.defaults.size();
  s.clip = f.clip;
  std::vector<double> wx(static_cast<size_t>(run.rows));
  s.wx = wx.data();
  const bool backwards = f.direction == Direction::reverse || d == 1;
  const int64_t length = run.lengths[static_cast<size_t>(n)];
  for (int64_t i = 0; i < length; ++i) {
    const int64_t t = backwards ? length - 1 - i : i;
    const double* x = run.x.data() + run.x_at(t, n);
    for (int64_t row = 0; row < run.rows; ++row) {
      const double* weights = run.w.data() + (d * run.rows + row) * run.width;
      double sum = wb[row];
      for (int64_t j = 0; j < run.width; ++j) sum += weights[j] * x[j];
      wx[static_cast<size_t>(row)] = sum;
    }
    step(s);
    store_doubles(out[0], run.y_at(t, d, n), s.h);
  }
  const std::vector<double> zeros(s.h.size(), 0.0);
  for (int64_t t = length; t < run.time; ++t) store_doubles(out[0], run.y_at(t, d, n), zeros);
  store_doubles(out[1], run.state_at(d, n), s.h);
  if (out.size() > 2) store_doubles(out[2], run.state_at(d, n), s.c);
}

}  // namespace

void run_recurrent(const RecurrentFields& f, Inputs in, Outputs out, const std::function<void(RecurrentState&)>& step) {
  const RecurrentRun run = read_run(f, in);
  if (run.hidden == 0) return;
  parallel_for(run.dirs * run.batch, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) run_sequence(run, f, i / run.batch, i % run.batch, out, step);
  });
}

std::vector<Value*> trimmed_inputs(const OnnxNode& node) {
  std::vector<Value*> in = node.inputs;
  while (!in.empty() && !in.back()) in.pop_back();
  return in;
}

}  // namespace onecard
