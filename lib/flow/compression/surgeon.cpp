#include "lib/flow/compression/surgeon.h"

#include <algorithm>
#include <cmath>
#include <queue>

namespace onecard {

namespace {

constexpr float kLeast = 1e-30f;
constexpr double kMostWork = 2e10, kMostWorkOfAll = 1.5e11;  // multiplications, of a layer and of all

// The inverse of a symmetric positive matrix, of which the lower triangle is read. Through Cholesky's factors.
std::vector<double> inverse_of(const std::vector<float>& a, int64_t n) {
  const auto at = [n](int64_t i, int64_t j) { return static_cast<size_t>(i * n + j); };
  std::vector<double> l(a.begin(), a.end());
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t k = 0; k < j; ++k) {
      const double by = l[at(j, k)];
      for (int64_t i = j; i < n; ++i) l[at(i, j)] -= l[at(i, k)] * by;
    }
    const double pivot = std::sqrt(std::max(l[at(j, j)], 1e-30));
    l[at(j, j)] = pivot;
    for (int64_t i = j + 1; i < n; ++i) l[at(i, j)] /= pivot;
  }
  // Rows of the inverse of the factor, then their products.
  std::vector<double> m(l.size(), 0.0), inverse(l.size(), 0.0);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t k = 0; k < i; ++k) {
      const double by = l[at(i, k)];
      for (int64_t j = 0; j <= k; ++j) m[at(i, j)] -= by * m[at(k, j)];
    }
    m[at(i, i)] += 1;
    for (int64_t j = 0; j <= i; ++j) m[at(i, j)] /= l[at(i, i)];
  }
  for (int64_t k = 0; k < n; ++k)
    for (int64_t i = 0; i <= k; ++i) {
      const double by = m[at(k, i)];
      for (int64_t j = 0; j <= k; ++j) inverse[at(i, j)] += by * m[at(k, j)];
    }
  return inverse;
}

// In which order the elements of one column go, and what each costs.
struct Trace {
  std::vector<int64_t> element;
  std::vector<float> cost;
};

Trace trace_of(const FitProblem& p, const std::vector<double>& inverse, int64_t column) {
  const int64_t depth = p.depth;
  std::vector<float> h(inverse.begin(), inverse.end()), w(static_cast<size_t>(depth));
  std::vector<int64_t> place(w.size());
  for (int64_t i = 0; i < depth; ++i) {
    double sum = 0;
    for (int64_t k = 0; k < depth; ++k) sum += inverse[static_cast<size_t>(i * depth + k)] * p.b[static_cast<size_t>(k * p.width + column)];
    w[static_cast<size_t>(i)] = static_cast<float>(sum);
    place[static_cast<size_t>(i)] = i;
  }
  Trace t;
  const auto lower = [&](int64_t i, int64_t j) -> float& { return h[static_cast<size_t>(i * depth + j)]; };  // j <= i: all that is kept up
  for (int64_t left = depth; left > 0; --left) {
    int64_t best = 0;
    float least = INFINITY;
    for (int64_t i = 0; i < left; ++i) {
      const float v = w[static_cast<size_t>(i)], cost = v * v / std::max(lower(i, i), kLeast);
      if (cost < least) least = cost, best = i;
    }
    t.element.push_back(place[static_cast<size_t>(best)]);
    t.cost.push_back(least);
    const int64_t last = left - 1;  // takes its place
    for (int64_t k = 0; k < best; ++k) std::swap(lower(best, k), lower(last, k));
    for (int64_t k = best + 1; k < last; ++k) std::swap(lower(k, best), lower(last, k));
    if (best != last) std::swap(lower(best, best), lower(last, last));
    std::swap(w[static_cast<size_t>(best)], w[static_cast<size_t>(last)]);
    std::swap(place[static_cast<size_t>(best)], place[static_cast<size_t>(last)]);
    const float* const removed = &lower(last, 0);
    const float over = 1 / std::max(lower(last, last), kLeast), gone = w[static_cast<size_t>(last)] * over;
    for (int64_t i = 0; i < last; ++i) {
      w[static_cast<size_t>(i)] -= gone * removed[i];
      const float by = removed[i] * over;
      float* const row = &lower(i, 0);
      for (int64_t j = 0; j <= i; ++j) row[j] -= by * removed[j];
    }
  }
  return t;
}

}  // namespace

std::set<std::string> small_enough_to_choose(const std::vector<Layer>& layers) {
  std::vector<std::pair<double, const Layer*>> works;
  for (const Layer& l : layers) {
    const auto depth = static_cast<double>(l.depth);
    works.emplace_back(static_cast<double>(l.groups) * static_cast<double>(l.width + 4) * depth * depth * depth / 6, &l);
  }
  std::stable_sort(works.begin(), works.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::set<std::string> names;
  double all = 0;
  for (const auto& [work, layer] : works) {
    all += work;
    if (work > kMostWork || all > kMostWorkOfAll) break;
    names.insert(layer->name);
  }
  return names;
}

std::vector<float> choose_zeros(std::span<const FitProblem* const> problems, int64_t zeros, std::span<std::vector<uint8_t>* const> keep) {
  struct Column {
    size_t group;
    int64_t column;
    Trace trace;
  };
  std::vector<Column> columns;
  for (size_t g = 0; g < problems.size(); ++g) {
    const std::vector<double> inverse = inverse_of(problems[g]->a, problems[g]->depth);
    for (int64_t n = 0; n < problems[g]->width; ++n) columns.push_back({g, n, trace_of(*problems[g], inverse, n)});
    keep[g]->assign(keep[g]->size(), uint8_t{1});
  }
  using Next = std::pair<float, size_t>;
  std::priority_queue<Next, std::vector<Next>, std::greater<>> next;
  std::vector<size_t> gone(columns.size(), 0);
  std::vector<float> costs;
  for (size_t c = 0; c < columns.size(); ++c) next.emplace(columns[c].trace.cost[0], c);
  for (; !next.empty(); --zeros) {
    const auto [cost, c] = next.top();
    next.pop();
    costs.push_back(cost);
    const Column& column = columns[c];
    const int64_t k = column.trace.element[gone[c]];
    if (zeros > 0) (*keep[column.group])[static_cast<size_t>(k * problems[column.group]->width + column.column)] = 0;
    if (++gone[c] < column.trace.cost.size()) next.emplace(column.trace.cost[gone[c]], c);
  }
  return costs;
}

}  // namespace onecard
