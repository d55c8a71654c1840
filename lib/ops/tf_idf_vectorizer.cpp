#include "lib/ops/tf_idf_vectorizer.h"

#include <algorithm>
#include <map>

#include "lib/ops/movement.h"
#include "lib/ops/onnx_enum.h"

namespace onecard {

namespace {

constexpr int64_t kMostColumns = INT32_MAX;

// Raises model unless pool, counts, indexes and weights fit together; the number of output columns.
int64_t checked_columns(const TfIdfVectorizer& op) {
  require(op.pool_ints.empty() || op.pool_strings.empty(), ErrorKind::model, "has a pool of integers and one of strings");
  const auto pool = static_cast<int64_t>(op.pool_ints.size() + op.pool_strings.size());
  require(op.min_length >= 1 && op.max_length >= op.min_length && op.max_skip >= 0, ErrorKind::model, "n-grams of length ", op.min_length, " to ",
          op.max_length, " with ", op.max_skip, " skipped");
  require(op.max_length <= static_cast<int64_t>(op.ngram_counts.size()), ErrorKind::model, "counts the n-grams up to length ", op.ngram_counts.size(),
          " only");
  size_t ngrams = 0;
  for (size_t i = 0; i < op.ngram_counts.size(); ++i) {
    const int64_t begin = op.ngram_counts[i], end = i + 1 < op.ngram_counts.size() ? op.ngram_counts[i + 1] : pool;
    const auto length = static_cast<int64_t>(i) + 1;
    require(begin >= 0 && begin <= end && end <= pool && (end - begin) % length == 0, ErrorKind::model, "the n-grams of length ", length, " lie at ",
            begin, " to ", end, " of a pool of ", pool);
    ngrams += static_cast<size_t>((end - begin) / length);
  }
  require(op.ngram_indexes.size() == ngrams, ErrorKind::model, op.ngram_indexes.size(), " columns for ", ngrams, " n-grams");
  require(op.weights.empty() || op.weights.size() == ngrams, ErrorKind::model, op.weights.size(), " weights for ", ngrams, " n-grams");
  int64_t columns = 0;
  for (const int64_t column : op.ngram_indexes) {
    require(column >= 0 && column < kMostColumns, ErrorKind::model, "output column ", column);
    columns = std::max(columns, column + 1);
  }
  return columns;
}

template <class E>
using Ngrams = std::map<std::vector<E>, size_t>;  // n-gram -> its number in the pool

template <class E>
Ngrams<E> ngrams_of(const TfIdfVectorizer& op, const std::vector<E>& pool) {
  Ngrams<E> all;
  size_t number = 0;
  for (size_t i = 0; i < op.ngram_counts.size(); ++i) {
    const auto end = i + 1 < op.ngram_counts.size() ? static_cast<size_t>(op.ngram_counts[i + 1]) : pool.size();
    for (auto at = static_cast<size_t>(op.ngram_counts[i]); at < end; at += i + 1, ++number)
      all.emplace(std::vector<E>(pool.begin() + static_cast<int64_t>(at), pool.begin() + static_cast<int64_t>(at + i + 1)), number);
  }
  return all;
}

// Adds the n-grams of one row to their counts. An n-gram of one element has nothing between, so is counted once.
template <class E>
void count_row(const TfIdfVectorizer& op, const Ngrams<E>& ngrams, std::span<const E> row, std::vector<int64_t>& counts) {
  const auto width = static_cast<int64_t>(row.size());
  std::vector<E> ngram;
  for (int64_t length = op.min_length; length <= std::min(op.max_length, width); ++length) {
    const int64_t skips = length == 1 ? 0 : std::min(op.max_skip, width);
    for (int64_t step = 1; step <= skips + 1 && (length - 1) * step < width; ++step) {
      for (int64_t start = 0; start + (length - 1) * step < width; ++start) {
        ngram.clear();
        for (int64_t k = 0; k < length; ++k) ngram.push_back(row[static_cast<size_t>(start + k * step)]);
        if (const auto found = ngrams.find(ngram); found != ngrams.end()) ++counts[found->second];
      }
    }
  }
}

template <class E>
void vectorize(const TfIdfVectorizer& op, const std::vector<E>& pool, const std::vector<E>& x, int64_t rows, int64_t columns, Tensor& y) {
  const Ngrams<E> ngrams = ngrams_of(op, pool);
  const size_t width = rows > 0 ? x.size() / static_cast<size_t>(rows) : 0;
  std::vector<int64_t> counts(op.ngram_indexes.size());
  for (int64_t row = 0; row < rows; ++row) {
    std::fill(counts.begin(), counts.end(), 0);
    count_row<E>(op, ngrams, std::span<const E>(x).subspan(static_cast<size_t>(row) * width, width), counts);
    for (size_t i = 0; i < counts.size(); ++i) {
      if (counts[i] == 0) continue;
      const double weight = op.weights.empty() ? 1.0 : op.weights[i], count = static_cast<double>(counts[i]);
      const int64_t at = row * columns + op.ngram_indexes[i];
      y.set(at, y.at(at) + (op.weight == TermWeight::tf ? count : op.weight == TermWeight::idf ? weight : count * weight));
    }
  }
}

}  // namespace

std::vector<TensorType> TfIdfVectorizer::infer(const InferContext& in) const {
  const TensorType& x = tensor_type(in, 0);
  const int64_t columns = checked_columns(*this);
  require(x.dtype == DType::string || x.dtype == DType::i32 || x.dtype == DType::i64, ErrorKind::model, "counts n-grams of ", info(x.dtype).name);
  require(x.dtype == DType::string ? pool_ints.empty() : pool_strings.empty(), ErrorKind::model, "the pool holds another type than ",
          info(x.dtype).name);
  if (!x.shape.has_rank()) return {TensorType(DType::f32, Shape::unranked())};
  require(x.shape.rank() == 1 || x.shape.rank() == 2, ErrorKind::model, "takes [c] or [n,c], not ", x.shape);
  return {TensorType(DType::f32, x.shape.rank() == 1 ? Shape{columns} : Shape{x.shape[0], columns})};
}

void TfIdfVectorizer::reference(Inputs in, Outputs out) const {
  const Tensor& x = *in[0];
  const int64_t columns = checked_columns(*this), rows = x.rank() == 1 ? 1 : x.dims().at(0);
  Tensor& y = allocated(out[0], DType::f32, x.rank() == 1 ? Dims{columns} : Dims{rows, columns});
  fill_elements(y, 0, y.elements(), nullptr);
  if (x.dtype() == DType::string) vectorize<std::string>(*this, pool_strings, x.text(), rows, columns, y);
  else vectorize<int64_t>(*this, pool_ints, to_ints(x), rows, columns, y);
}

std::optional<OnnxForm> TfIdfVectorizer::to_onnx(const Node&) const {
  static constexpr std::string_view kModes[] = {"TF", "IDF", "TFIDF"};
  OnnxForm form{"TfIdfVectorizer",
                {{"mode", std::string(kModes[static_cast<size_t>(weight)])},
                 {"min_gram_length", min_length},
                 {"max_gram_length", max_length},
                 {"max_skip_count", max_skip},
                 {"ngram_counts", ngram_counts},
                 {"ngram_indexes", ngram_indexes}},
                ""};
  if (pool_strings.empty()) form.attributes["pool_int64s"] = pool_ints;
  else form.attributes["pool_strings"] = pool_strings;
  if (!weights.empty()) form.attributes["weights"] = weights;
  return form;
}

namespace {
constexpr OnnxName kNames[] = {{"", "TfIdfVectorizer", 9}};
}
const std::span<const OnnxName> TfIdfVectorizer::kOnnx{kNames};

std::vector<Value*> TfIdfVectorizer::from_onnx(const OnnxNode& node) {
  using Ints = std::vector<int64_t>;
  node.needed_attr<std::string>("mode");
  TfIdfVectorizer op;
  op.weight = onnx_enum<TermWeight>(node, "mode", "", {{"TF", TermWeight::tf}, {"IDF", TermWeight::idf}, {"TFIDF", TermWeight::tfidf}});
  op.min_length = node.needed_attr<int64_t>("min_gram_length");
  op.max_length = node.needed_attr<int64_t>("max_gram_length");
  op.max_skip = node.needed_attr<int64_t>("max_skip_count");
  op.ngram_counts = node.needed_attr<Ints>("ngram_counts");
  op.ngram_indexes = node.needed_attr<Ints>("ngram_indexes");
  op.pool_ints = node.attr<Ints>("pool_int64s", {});
  op.pool_strings = node.attr<std::vector<std::string>>("pool_strings", {});
  op.weights = node.attr<std::vector<float>>("weights", {});
  return {node.add_op(op, {node.needed(0)})};
}

DEFINE_OP(TfIdfVectorizer)

}  // namespace onecard
