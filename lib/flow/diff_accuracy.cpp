#include "lib/flow/diff_accuracy.h"

#include <algorithm>
#include <map>
#include <set>

#include "lib/ops/quantize.h"
#include "lib/runtime/executor.h"

namespace onecard {

namespace {

constexpr Metric kMetrics[] = {{"max_abs", &Comparison::max_abs, true},
                               {"mean_abs", &Comparison::mean_abs, true},
                               {"range_error", &Comparison::range_error, true},
                               {"cosine", &Comparison::cosine, false},
                               {"sqnr_db", &Comparison::sqnr_db, false},
                               {"psnr_db", &Comparison::psnr_db, false},
                               {"kl", &Comparison::kl, true},
                               {"argmax_agreement", &Comparison::argmax_agreement, false}};

// What a tensor stands for, so that sides of different precision can be compared.
Tensor plain_form(const Tensor& t) {
  if (!t.has_value() || t.type().container != Container::tensor) return t.clone();
  if (t.type().quant) return dequantize_tensor(t);
  return is_float(t.dtype()) && t.dtype() != DType::f32 && t.dtype() != DType::f64 ? convert(t, DType::f32) : t.clone();
}

void collect_origins(const Graph& graph, std::set<std::string>& origins) {
  for (const Value& v : graph.values())
    if (!v.constant) origins.insert(v.origin.begin(), v.origin.end());
  for (const Node& n : graph.nodes())
    for (const GraphPtr& body : n.op->subgraphs()) collect_origins(*body, origins);
}

int64_t index_of(const std::vector<Value*>& values, const std::string& name) {
  const auto at = std::find_if(values.begin(), values.end(), [&](const Value* v) { return v->name == name; });
  return at == values.end() ? -1 : at - values.begin();
}

// The places in `of` of the values of `in`, by name.
std::vector<size_t> places(const std::vector<Value*>& in, const std::vector<Value*>& of, const char* what) {
  std::vector<size_t> found;
  for (const Value* v : in) {
    const int64_t at = index_of(of, v->name);
    require(at >= 0, ErrorKind::model, "the two sides differ: only one has the ", what, " '", v->name, "'");
    found.push_back(static_cast<size_t>(at));
  }
  return found;
}

}  // namespace

Comparison compare_sides(const Tensor& candidate, const Tensor& reference) {
  if (candidate.type() == reference.type() && !candidate.type().quant) return compare(candidate, reference);
  return compare(plain_form(candidate), plain_form(reference));
}

int64_t count_classes(const Tensor& scores) {
  size_t rank = scores.dims().size();
  while (rank > 2 && scores.dims()[rank - 1] == 1) --rank;
  return rank == 0 ? 1 : scores.dims()[rank - 1];
}

int64_t count_rows(const Tensor& scores) {
  const int64_t width = count_classes(scores);
  return width > 0 ? scores.elements() / width : 0;
}

int64_t count_right(const Tensor& scores, const LabelTask& task, size_t first_label) {
  const auto values = to_doubles(scores);
  const int64_t width = count_classes(scores), rows = count_rows(scores);
  require(first_label + static_cast<size_t>(rows) <= task.labels.size(), ErrorKind::usage, "--labels: ", task.labels.size(),
          " labels are fewer than the rows of the first output");
  int64_t right = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t label = task.labels[first_label + static_cast<size_t>(r)];
    require(label >= 0 && label < width, ErrorKind::usage, "--labels: label ", label, " is none of the ", width, " classes");
    const double* row = &values[static_cast<size_t>(r * width)];
    int64_t before = 0;
    for (int64_t i = 0; i < width; ++i) before += row[i] > row[label] || (row[i] == row[label] && i < label);
    right += before < task.top;
  }
  return right;
}

namespace {

class Comparing {
 public:
  Comparing(const DiffRequest& request, Device& device)
      : request_(request),
        reference_(request.reference, device),
        candidate_(request.candidate, device),
        candidate_inputs_(places(request.candidate->inputs, request.reference->inputs, "input")),
        candidate_outputs_(places(request.reference->outputs, request.candidate->outputs, "output")) {
    for (const Value* v : request.reference->outputs) result_.outputs.push_back({v->name, "", {}, {}, 0, 0});
    if (request.layers) find_common_origins();
  }

  void sample(size_t index) {
    Sample sample = request_.samples->read(index);
    const std::vector<Tensor> previous = std::move(reference_outputs_);
    done_.clear();
    for (bool more = true, first = true; more; first = false) {
      more = run_sides(sample, index, previous);
      if (first) compare_outputs();
    }
    previous_candidate_ = std::move(candidate_now_);
  }

  DiffResult finish() {
    result_.samples = static_cast<int64_t>(request_.samples->size());
    if (request_.task) {
      require(rows_ == request_.task->labels.size() && rows_ > 0, ErrorKind::usage, "--labels: ", request_.task->labels.size(), " labels for ", rows_,
              " rows of the first output");
      result_.task = TaskScore{static_cast<double>(right_reference_) / static_cast<double>(rows_),
                               static_cast<double>(right_candidate_) / static_cast<double>(rows_)};
    }
    return std::move(result_);
  }

 private:
  void find_common_origins() {
    std::set<std::string> ours, theirs;
    collect_origins(*request_.reference, ours);
    collect_origins(*request_.candidate, theirs);
    std::set_intersection(ours.begin(), ours.end(), theirs.begin(), theirs.end(), std::inserter(common_, common_.end()));
    reference_.set_tap([this](const Value& v, const Tensor& t) { hold(v, t); });
    candidate_.set_tap([this](const Value& v, const Tensor& t) { match(v, t); });
  }

  // Runs both sides; true when inner tensors are left that there was no room for.
  bool run_sides(Sample& sample, size_t index, const std::vector<Tensor>& previous_reference) {
    held_.clear();
    held_bytes_ = 0;
    left_ = false;
    const Graph& interface = *request_.reference;
    apply_carry(request_.carry, interface, index, previous_reference, sample);
    std::vector<const Tensor*> in;
    for (const Tensor& t : sample.inputs) in.push_back(&t);
    reference_outputs_ = reference_.run(in);
    apply_carry(request_.carry, interface, index, previous_candidate_, sample);
    in.clear();
    for (const size_t i : candidate_inputs_) in.push_back(&sample.inputs[i]);
    std::vector<Tensor> outputs = candidate_.run(in);
    candidate_now_.clear();
    for (const size_t i : candidate_outputs_) candidate_now_.push_back(outputs[i].clone());
    for (const auto& [origin, tensor] : held_) done_.insert(origin);
    return left_;
  }

  void hold(const Value& v, const Tensor& t) {
    const auto at = std::find_if(v.origin.begin(), v.origin.end(), [&](const std::string& o) { return common_.contains(o) && !done_.contains(o); });
    if (at == v.origin.end() || !t.has_value() || t.type().container != Container::tensor) return;
    if (held_bytes_ + t.bytes() > kMostHeldBytes && !held_.empty()) {
      left_ = true;
      return;
    }
    const auto kept = std::make_shared<const Tensor>(t.clone());
    for (const std::string& o : v.origin)
      if (common_.contains(o) && !done_.contains(o) && held_.emplace(o, kept).second) held_bytes_ += o == *at ? t.bytes() : 0;
  }

  void match(const Value& v, const Tensor& t) {
    for (const std::string& origin : v.origin) {
      const auto at = held_.find(origin);
      if (at == held_.end()) continue;
      const auto [place, added] = layer_places_.emplace(v.name, result_.layers.size());
      if (added) result_.layers.push_back({v.name, origin, {}, {}, 0, 0});
      result_.layers[place->second].add(compare_sides(t, *at->second));
      for (const std::string& o : v.origin) {
        held_.erase(o);
        done_.insert(o);
      }
      return;
    }
  }

  void compare_outputs() {
    for (size_t i = 0; i < result_.outputs.size(); ++i) result_.outputs[i].add(compare_sides(candidate_now_[i], reference_outputs_[i]));
    if (!request_.task) return;
    const Tensor& scores = reference_outputs_.at(0);
    right_reference_ += count_right(scores, *request_.task, rows_);
    right_candidate_ += count_right(candidate_now_.at(0), *request_.task, rows_);
    rows_ += static_cast<size_t>(count_rows(scores));
  }

  const DiffRequest& request_;
  Executor reference_, candidate_;
  std::vector<size_t> candidate_inputs_, candidate_outputs_;
  DiffResult result_;
  std::vector<Tensor> reference_outputs_, candidate_now_, previous_candidate_;  // in the reference's order
  std::set<std::string> common_, done_;
  std::map<std::string, ConstTensor> held_;
  std::map<std::string, size_t> layer_places_;
  int64_t held_bytes_ = 0, right_reference_ = 0, right_candidate_ = 0;
  size_t rows_ = 0;
  bool left_ = false;
};

}  // namespace

std::span<const Metric> metrics() { return kMetrics; }

void Difference::add(const Comparison& c) {
  if (samples == 0) worst = mean = c;
  // A share of rows is one over all samples: the worst sample of one row would say 0 or 1.
  const double before = worst.argmax_agreement * static_cast<double>(rows), agree = before + c.argmax_agreement * static_cast<double>(c.rows);
  rows += c.rows;
  if (!c.comparable && worst.comparable) worst.comparable = false, worst.why_not = c.why_not;
  for (const Metric& m : kMetrics) {
    double& bad = worst.*m.member;
    bad = m.larger_is_worse ? std::max(bad, c.*m.member) : std::min(bad, c.*m.member);
    double& average = mean.*m.member;
    if (samples > 0 && average != c.*m.member) average += (c.*m.member - average) / static_cast<double>(samples + 1);
  }
  if (rows > 0 && worst.comparable) worst.argmax_agreement = mean.argmax_agreement = agree / static_cast<double>(rows);
  ++samples;
}

DiffResult diff_accuracy(const DiffRequest& request, Device& device, const std::function<void(double)>& progress) {
  Comparing comparing(request, device);
  const size_t count = request.samples->size();
  for (size_t i = 0; i < count; ++i) {
    comparing.sample(i);
    progress(static_cast<double>(i + 1) / static_cast<double>(count));
  }
  return comparing.finish();
}

}  // namespace onecard
