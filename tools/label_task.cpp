#include "tools/label_task.h"

#include <cmath>
#include <limits>
#include <sstream>

#include "lib/runtime/data/npy.h"
#include "tools/options.h"

namespace onecard {

std::optional<LabelTask> label_task(const std::string& labels, const std::string& metric) {
  if (labels.empty()) return std::nullopt;
  LabelTask task;
  if (metric == "top5") task.top = 5;
  else if (!metric.empty() && metric != "top1") comes_later("--metric " + metric, "this one has top1 and top5");
  if (Path(labels).extension() == ".npy") {
    const Tensor numbers = read_npy(MappedFile::open(labels)->bytes());
    constexpr double kMost = 1e15;  // floats beyond are no exact numbers
    for (int64_t i = 0; is_float(numbers.dtype()) && i < numbers.elements(); ++i)
      require(std::abs(numbers.at(i)) <= kMost && std::trunc(numbers.at(i)) == numbers.at(i), ErrorKind::io, "--labels ", labels, ": entry ", i + 1,
              " is no whole number");
    task.labels = to_ints(numbers);
    return task;
  }
  std::istringstream in(read_text(labels));
  for (int64_t label = 0; in >> label;) task.labels.push_back(label);
  require(in.eof(), ErrorKind::io, "--labels ", labels, ": entry ", task.labels.size() + 1, " is no whole number");
  return task;
}

void check_gates(const Gates& g) {
  const auto within = [](const char* flag, const std::optional<double>& limit, double low, double high, const char* meaning) {
    require(!limit || (*limit >= low && *limit <= high), ErrorKind::usage, flag, " ", limit.value_or(0), ": ", meaning);
  };
  constexpr double kLargest = std::numeric_limits<double>::max();
  within("--min-cosine", g.min_cosine, -1, 1, "a cosine is from -1 to 1");
  within("--min-agreement", g.min_agreement, 0, 1, "a share of rows is from 0 to 1");
  within("--min-sqnr", g.min_sqnr_db, -kLargest, kLargest, "a number of dB is wanted");
  within("--max-abs", g.max_abs, 0, kLargest, "a distance is 0 or more");
  within("--max-range-error", g.max_range_error, 0, kLargest, "a distance is 0 or more");
  within("--max-drop", g.max_drop_percent, -100, 100, "percent points are from -100 to 100");
}

}  // namespace onecard
