#include "lib/flow/accuracy_meter.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>
#include <numeric>

#include "lib/base/in_order.h"
#include "lib/flow/compression/judge.h"
#include "lib/flow/compression/rows.h"
#include "lib/runtime/weights.h"

namespace onecard {

namespace {

// Of this thread.
double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

int64_t bytes_of(const std::vector<Tensor>& tensors) {
  int64_t sum = 0;
  for (const Tensor& t : tensors) sum += t.has_value() && t.type().container == Container::tensor && t.dtype() != DType::string ? t.bytes() : 4096;
  return sum;
}

bool is_tensor(const Tensor& t) { return t.has_value() && t.type().container == Container::tensor; }
bool is_float_tensor(const Tensor& t) { return is_tensor(t) && is_float(t.dtype()); }

OutputTotals float_totals(const Tensor& got, const Tensor& wanted) {
  OutputTotals sums;
  sums.floats = true;
  sums.elements = wanted.elements();
  const bool same = is_float_tensor(got) && got.dims() == wanted.dims();
  const Tensor b = as_real(wanted), a = same ? as_real(got) : Tensor();
  for (int64_t i = 0; i < b.elements(); ++i) {
    const double y = b.data<float>()[static_cast<size_t>(i)], x = same ? a.data<float>()[static_cast<size_t>(i)] : 0;
    sums.equal += x == y;
    if (!std::isfinite(y)) continue;
    const bool finite = std::isfinite(x);
    sums.power += y * y;
    sums.sum += y;
    sums.error += finite ? (x - y) * (x - y) : y * y + 1;
    sums.candidate_power += finite ? x * x : 0;
    sums.product += finite ? x * y : 0;
  }
  return sums;
}

OutputTotals totals_of(const Tensor& got, const Tensor& wanted) {
  OutputTotals sums;
  if (!is_tensor(wanted)) return sums;
  if (is_float(wanted.dtype())) return float_totals(got, wanted);
  if (info(wanted.dtype()).kind == DKind::complex) return sums;
  sums.elements = wanted.elements();
  if (!is_tensor(got) || got.type() != wanted.type()) return sums;
  for (int64_t i = 0; i < wanted.elements(); ++i) {
    const auto at = static_cast<size_t>(i);
    sums.equal += wanted.dtype() == DType::string ? got.text()[at] == wanted.text()[at] : got.at(i) == wanted.at(i);
  }
  return sums;
}

void add(OutputTotals& to, const OutputTotals& more) {
  to.floats = more.floats;
  to.elements += more.elements;
  to.equal += more.equal;
  to.power += more.power;
  to.error += more.error;
  to.sum += more.sum;
  to.candidate_power += more.candidate_power;
  to.product += more.product;
}

// Error power over power: an output that should be 0 and is not counts as lost.
double relative(const OutputTotals& t) { return t.error == 0 ? 0 : t.power > 0 ? t.error / t.power : 1; }

}  // namespace

namespace {

double decibels_of(double power, double error) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return error == 0 ? kInfinity : power <= 0 ? -kInfinity : 10 * std::log10(power / error);
}

}  // namespace

double OutputTotals::decibels() const { return decibels_of(power, error); }

double OutputTotals::varying_decibels() const { return decibels_of(elements > 0 ? power - sum * sum / static_cast<double>(elements) : 0, error); }

double OutputTotals::cosine() const {
  if (power == 0 && candidate_power == 0) return 1;
  return power == 0 || candidate_power == 0 ? 0 : product / std::sqrt(power * candidate_power);
}

// One sample on both sides.
struct AccuracyMeter::Row {
  std::vector<Comparison> comparisons;
  std::vector<OutputTotals> totals;
  double seconds = 0;
  int64_t right = 0;
  Answers got;     // where they are carried on
  Answers wanted;  // likewise, of what is not kept
};

AccuracyMeter::AccuracyMeter(std::shared_ptr<const Team> original, Device& device, const SampleSource& samples, std::vector<size_t> which,
                             Carry carry, std::optional<LabelTask> task, std::shared_ptr<SharedWeights> weights)
    : device_(device),
      samples_(samples),
      weights_(std::move(weights)),
      original_(std::move(original)),
      which_(std::move(which)),
      carry_(std::move(carry)),
      task_(std::move(task)) {
  answer_all();
}

AccuracyMeter::~AccuracyMeter() = default;

// The original's answers, as far as they may be kept, and its own score.
void AccuracyMeter::answer_all() {
  int64_t kept_bytes = 0;
  kept_.resize(which_.size());
  Answers last;
  const auto run = [&](int worker, int64_t i) {
    Sample sample = samples_.read(which_[static_cast<size_t>(i)]);
    apply_carry(carry_, original_->graph(), static_cast<size_t>(i), last, sample);
    return original_->member(worker).run(pointers(sample));
  };
  in_order(static_cast<int64_t>(which_.size()), workers(), run, [&](int64_t i, Answers made) {
    if (task_) {
      first_row_.push_back(static_cast<size_t>(rows_));
      right_ += count_right(made.at(0), *task_, static_cast<size_t>(rows_));
      rows_ += count_rows(made[0]);
    }
    const int64_t bytes = bytes_of(made);
    last = std::move(made);
    if (kept_bytes + bytes > kMostKeptAnswerBytes) return;
    kept_bytes += bytes;
    Answers copy;
    for (const Tensor& t : last) copy.push_back(t.clone());
    kept_[static_cast<size_t>(i)] = std::make_shared<const Answers>(std::move(copy));
  });
  if (task_)
    require(static_cast<size_t>(rows_) == task_->labels.size() && rows_ > 0, ErrorKind::usage, "--labels: ", task_->labels.size(), " labels for ",
            rows_, " rows of the first output");
}

// Where states are carried on, `into` holds the answers of the place before.
const AccuracyMeter::Answers& AccuracyMeter::answer(size_t place, int worker, Answers& into) {
  if (kept_[place]) return *kept_[place];
  Sample sample = samples_.read(which_[place]);
  if (!carry_.pairs.empty() && place > 0) apply_carry(carry_, original_->graph(), place, kept_[place - 1] ? *kept_[place - 1] : into, sample);
  into = original_->member(worker).run(pointers(sample));
  return into;
}

AccuracyMeter::Row AccuracyMeter::compared(const Team& candidate, size_t place, int worker, const Answers& got_before, Answers wanted_before) {
  Row row;
  row.wanted = std::move(wanted_before);
  Sample sample = samples_.read(which_[place]);
  apply_carry(carry_, candidate.graph(), place, got_before, sample);
  std::vector<TensorType> types;
  for (const Tensor& t : sample.inputs) types.push_back(t.type());
  Executor& executor = candidate.member(worker);
  executor.prepare(types);
  const double start = processor_seconds();
  row.got = executor.run(pointers(sample));
  row.seconds = processor_seconds() - start;
  const Answers& wanted = answer(place, worker, row.wanted);
  for (size_t o = 0; o < wanted.size(); ++o) {
    row.comparisons.push_back(compare_sides(row.got[o], wanted[o]));
    row.totals.push_back(totals_of(row.got[o], wanted[o]));
  }
  if (task_) row.right = count_right(row.got.at(0), *task_, first_row_[place]);
  return row;
}

Measured AccuracyMeter::measure(const GraphPtr& candidate) { return measure(Team(candidate, device_, workers(), weights_)); }

Measured AccuracyMeter::measure(const Team& candidate) {
  std::vector<size_t> places(which_.size());
  std::iota(places.begin(), places.end(), size_t{0});
  return measure(candidate, places);
}

Measured AccuracyMeter::measure(const GraphPtr& candidate, const std::vector<size_t>& places) {
  return measure(Team(candidate, device_, workers(), weights_), places);
}

Measured AccuracyMeter::measure(const Team& team, const std::vector<size_t>& places) {
  Measured m;
  m.totals.resize(original_->graph().outputs.size());
  for (const Value* v : original_->graph().outputs) m.accuracy.outputs.push_back({v->name, "", {}, {}, 0, 0});
  Answers got, wanted;
  int64_t right = 0;
  const bool carried = !carry_.pairs.empty();
  const auto run = [&](int worker, int64_t i) {
    return compared(team, places[static_cast<size_t>(i)], worker, got, carried ? std::move(wanted) : Answers{});
  };
  in_order(static_cast<int64_t>(places.size()), workers(), run, [&](int64_t i, Row row) {
    std::vector<double> errors;
    for (size_t o = 0; o < row.totals.size(); ++o) {
      m.accuracy.outputs[o].add(row.comparisons[o]);
      add(m.totals[o], row.totals[o]);
      errors.push_back(relative(row.totals[o]));
    }
    m.relative_error.push_back(std::move(errors));
    m.seconds += row.seconds;
    right += row.right;
    if (!carried && i == 0) m.first = std::move(row.got);
    if (!carried) return;
    got = std::move(row.got);
    wanted = std::move(row.wanted);
  });
  weights_->store.drop_unused();
  m.accuracy.samples = static_cast<int64_t>(places.size());
  if (task_ && places.size() == which_.size())
    m.accuracy.task = TaskScore{static_cast<double>(right_) / static_cast<double>(rows_), static_cast<double>(right) / static_cast<double>(rows_)};
  return m;
}

}  // namespace onecard
