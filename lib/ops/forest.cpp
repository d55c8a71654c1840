#include "lib/ops/forest.h"

#include <algorithm>
#include <cmath>

#include "lib/base/parallel.h"
#include "lib/ops/operands.h"

namespace onecard {

namespace {

constexpr int64_t kBlock = 64;             // rows that one tree sees while it is in the cache
constexpr int64_t kBlockScores = 1 << 16;  // of all rows of a block

const TensorType& array(const InferContext& in, size_t i, DType dtype, int64_t rank) {
  const TensorType& t = plain_tensor(in, i);
  require(t.dtype == dtype, ErrorKind::model, "input ", i, " must be ", info(dtype).name, ", not ", info(t.dtype).name);
  require(!t.shape.has_rank() || t.shape.rank() == rank, ErrorKind::model, "input ", i, " must have ", rank, " axes, not ", t.shape);
  return t;
}

// The arrays as they lie in the inputs. Contents come from files: they are checked while a row walks through them.
template <class T>
class Forest {
 public:
  Forest(Inputs in, int64_t targets)
      : nodes_(in[kForestNodes]->data<int32_t>()),
        thresholds_(in[kForestThresholds]->data<T>()),
        roots_(in[kForestRoots]->data<int32_t>()),
        leaves_(in[kForestLeaves]->data<int32_t>()),
        targets_(in[kForestTargets]->data<int32_t>()),
        weights_(in[kForestWeights]->data<T>()),
        count_(targets) {
    const Tensor* sets = in.size() > kForestSets ? in[kForestSets] : nullptr;
    const Tensor* members = in.size() > kForestMembers ? in[kForestMembers] : nullptr;
    if (sets && members) sets_ = sets->data<int32_t>(), members_ = members->data<T>();
    require(nodes_.size() == 4 * thresholds_.size() && targets_.size() == weights_.size() && !leaves_.empty(), ErrorKind::model,
            "the arrays of the trees do not fit together");
  }

  size_t trees() const { return roots_.size(); }

  // Calls vote(target, weight) for each vote of the leaf that a tree gives the row.
  template <class F>
  void walk(size_t tree, const T* row, int64_t features, F&& vote) const {
    const int64_t count = static_cast<int64_t>(thresholds_.size());
    int64_t at = roots_[tree], last = -1;
    while (at >= 0) {
      require(at > last && at < count, ErrorKind::model, "node ", at, " of the trees cannot follow node ", last);
      last = at;
      const int32_t* node = nodes_.data() + 4 * at;
      require(node[0] >= 0 && node[0] < features, ErrorKind::model, "the trees look at feature ", node[0], " of ", features);
      at = passes(node[1], row[node[0]], thresholds_[static_cast<size_t>(at)]) ? node[2] : node[3];
    }
    const int64_t leaf = ~at;
    require(leaf + 1 < std::ssize(leaves_), ErrorKind::model, "the trees have no leaf ", leaf);
    const int32_t begin = leaves_[static_cast<size_t>(leaf)], end = leaves_[static_cast<size_t>(leaf) + 1];
    require(begin >= 0 && begin <= end && end <= std::ssize(targets_), ErrorKind::model, "leaf ", leaf, " of the trees has no votes ", begin, " to ",
            end);
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      require(targets_[i] >= 0 && targets_[i] < count_, ErrorKind::model, "the trees vote for target ", targets_[i], " of ", count_);
      vote(targets_[i], static_cast<double>(weights_[i]));
    }
  }

 private:
  bool passes(int32_t test, T x, T threshold) const {
    if (x != x && (test & kMissingBit)) return true;
    switch (static_cast<TreeTest>(test & 7)) {
      case TreeTest::less_equal: return x <= threshold;
      case TreeTest::less: return x < threshold;
      case TreeTest::greater_equal: return x >= threshold;
      case TreeTest::greater: return x > threshold;
      case TreeTest::equal: return x == threshold;
      case TreeTest::not_equal: return x != threshold;
      case TreeTest::member: return is_member(test >> kSetShift, x);
    }
    fail(ErrorKind::model, "the trees have no test ", test & 7);
  }
  bool is_member(int32_t set, T x) const {
    if (x != x) return false;
    require(set >= 0 && set + 1 < std::ssize(sets_), ErrorKind::model, "the trees have no set ", set);
    const int32_t begin = sets_[static_cast<size_t>(set)], end = sets_[static_cast<size_t>(set) + 1];
    require(begin >= 0 && begin <= end && end <= std::ssize(members_), ErrorKind::model, "set ", set, " of the trees has no members ", begin, " to ",
            end);
    return std::binary_search(members_.begin() + begin, members_.begin() + end, x);
  }

  std::span<const int32_t> nodes_;
  std::span<const T> thresholds_;
  std::span<const int32_t> roots_, leaves_, targets_;
  std::span<const T> weights_;
  int64_t count_;
  std::span<const int32_t> sets_;
  std::span<const T> members_;
};

void add_vote(ForestScores& s, Aggregate aggregate, int32_t target, double weight) {
  const auto t = static_cast<size_t>(target);
  if (aggregate == Aggregate::min || aggregate == Aggregate::max) {
    const bool better = aggregate == Aggregate::min ? weight < s.score[t] : weight > s.score[t];
    if (!s.voted[t] || better) s.score[t] = weight;
  } else {
    s.score[t] += weight;
  }
  s.voted[t] = 1;
}

// Rows from `first` on of x in the thresholds' type.
template <class T>
void evaluate_block(const Forest<T>& forest, const T* x, int64_t features, int64_t first, int64_t rows, Aggregate aggregate,
                    std::vector<ForestScores>& scores, const std::function<void(int64_t, ForestScores&)>& take) {
  for (ForestScores& s : scores) {
    std::fill(s.score.begin(), s.score.end(), 0.0);
    std::fill(s.voted.begin(), s.voted.end(), uint8_t{0});
  }
  for (size_t tree = 0; tree < forest.trees(); ++tree)
    for (int64_t r = 0; r < rows; ++r)
      forest.walk(tree, x + r * features, features,
                  [&](int32_t target, double weight) { add_vote(scores[static_cast<size_t>(r)], aggregate, target, weight); });
  for (int64_t r = 0; r < rows; ++r) {
    ForestScores& s = scores[static_cast<size_t>(r)];
    if (aggregate == Aggregate::average)
      for (double& v : s.score) v /= static_cast<double>(forest.trees());
    take(first + r, s);
  }
}

template <class T>
void evaluate_as(Inputs in, int64_t targets, Aggregate aggregate, const std::function<void(int64_t, ForestScores&)>& take) {
  const Forest<T> forest(in, targets);
  const Tensor& x = *in[0];
  const int64_t features = x.dims().back(), rows = x.rank() == 1 ? 1 : x.dims()[0];
  parallel_for(rows, kBlock / 4, [&](int64_t begin, int64_t end) {
    const int64_t block_rows = std::clamp<int64_t>(kBlockScores / targets, 1, std::min(kBlock, end - begin));
    const bool in_place = x.dtype() == DTypeOf<T>::value;
    std::vector<T> converted(in_place ? 0 : static_cast<size_t>(block_rows * features));
    std::vector<ForestScores> scores(static_cast<size_t>(block_rows));
    for (ForestScores& s : scores) s.score.resize(static_cast<size_t>(targets)), s.voted.resize(static_cast<size_t>(targets));
    for (int64_t first = begin; first < end; first += block_rows) {
      const int64_t count = std::min(block_rows, end - first);
      const T* block = converted.data();
      if (in_place) block = x.data<T>().data() + first * features;
      else
        visit_numeric(x.dtype(), [&]<class X>(TypeTag<X>) {
          const auto from = x.data<X>().subspan(static_cast<size_t>(first * features), static_cast<size_t>(count * features));
          std::transform(from.begin(), from.end(), converted.begin(), [](X v) { return static_cast<T>(v); });
        });
      evaluate_block(forest, block, features, first, count, aggregate, scores, take);
    }
  });
}

}  // namespace

Dim check_forest_types(const InferContext& in, int64_t targets) {
  const TensorType& x = plain_tensor(in, 0);
  require(is_numeric(x.dtype), ErrorKind::model, "takes numbers, not ", info(x.dtype).name);
  require(!x.shape.has_rank() || x.shape.rank() == 1 || x.shape.rank() == 2, ErrorKind::model, "takes [F] or [N,F], not ", x.shape);
  const DType type = in.dtype(kForestThresholds);
  require(type == DType::f32 || type == DType::f64, ErrorKind::model, "the thresholds are ", info(type).name);
  for (const size_t i : {kForestRoots, kForestLeaves, kForestTargets}) array(in, i, DType::i32, 1);
  for (const size_t i : {kForestThresholds, kForestWeights}) array(in, i, type, 1);
  const TensorType& nodes = array(in, kForestNodes, DType::i32, 2);
  require(!nodes.shape.has_rank() || !nodes.shape[1].is_number() || nodes.shape[1] == Dim(4), ErrorKind::model, "the nodes are ", nodes.shape,
          ", not [n,4]");
  require(targets >= 1 && targets <= kMostTargets, ErrorKind::model, "has ", targets, " targets");
  if (in.has(kForestBase)) array(in, kForestBase, type, 1);
  require(in.has(kForestSets) == in.has(kForestMembers), ErrorKind::model, "sets and their members come together");
  if (in.has(kForestSets)) array(in, kForestSets, DType::i32, 1), array(in, kForestMembers, type, 1);
  if (!x.shape.has_rank()) return Dim::unknown();
  return x.shape.rank() == 1 ? Dim(1) : x.shape[0];
}

double forest_base(Inputs in, int64_t target) {
  const Tensor* base = in.size() > kForestBase ? in[kForestBase] : nullptr;
  return base && target < base->elements() ? base->at(target) : 0;
}

void evaluate_forest(Inputs in, int64_t targets, Aggregate aggregate, const std::function<void(int64_t row, ForestScores& scores)>& take) {
  const Tensor& x = *in[0];
  require(x.rank() == 1 || x.rank() == 2, ErrorKind::model, "takes [F] or [N,F], not ", x.type());
  if (in[kForestThresholds]->dtype() == DType::f64) evaluate_as<double>(in, targets, aggregate, take);
  else evaluate_as<float>(in, targets, aggregate, take);
}

}  // namespace onecard
