#include "lib/ops/einsum.h"

#include <algorithm>
#include <map>

#include "lib/base/parallel.h"
#include "lib/ops/operands.h"

namespace onecard {
DEFINE_OP(Einsum)
namespace {

constexpr int kEllipsis = 256;  // label of the last axis under "..."; the one before it is 257, and so on

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// One side of a comma: letters before and after "...".
struct Term {
  std::string before, after;
  bool ellipsis = false;
  int64_t letters() const { return static_cast<int64_t>(before.size() + after.size()); }
};

Term parse_term(const std::string& text) {
  Term term;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 3, "...") == 0 && !term.ellipsis) {
      term.ellipsis = true;
      i += 2;
    } else {
      require(is_letter(text[i]), ErrorKind::model, "the einsum term '", text, "' is malformed");
      (term.ellipsis ? term.after : term.before).push_back(text[i]);
    }
  }
  return term;
}

std::vector<int> labels_of(const Term& term, int64_t ellipsis_rank) {
  std::vector<int> labels(term.before.begin(), term.before.end());
  for (int64_t i = term.ellipsis ? ellipsis_rank : 0; i-- > 0;) labels.push_back(kEllipsis + static_cast<int>(i));
  labels.insert(labels.end(), term.after.begin(), term.after.end());
  return labels;
}

// Without "->": the axes under "...", then the labels that occur once, sorted.
Term implied_result(const std::vector<Term>& terms) {
  std::map<char, int> uses;
  Term result;
  for (const Term& t : terms) {
    result.ellipsis = result.ellipsis || t.ellipsis;
    for (char c : t.before + t.after) ++uses[c];
  }
  for (const auto& [letter, count] : uses)
    if (count == 1) result.after.push_back(letter);
  return result;
}

bool holds(const std::vector<int>& labels, int label) { return std::find(labels.begin(), labels.end(), label) != labels.end(); }

// The extent of each label; raises model when the operands disagree. An extent of 1 is repeated.
std::map<int, Dim> label_extents(const EinsumLabels& e, const std::vector<Shape>& shapes) {
  std::map<int, Dim> extents;
  for (size_t n = 0; n < shapes.size(); ++n) {
    for (size_t a = 0; a < e.operands[n].size(); ++a) {
      const Dim& d = shapes[n][static_cast<int64_t>(a)];
      const auto [it, added] = extents.emplace(e.operands[n][a], d);
      Dim& known = it->second;
      if (added || known == d || d == Dim(1)) continue;
      require(known == Dim(1) || !known.is_number() || !d.is_number(), ErrorKind::model, "one label has extents ", known, " and ", d);
      if (known == Dim(1) || d.is_number()) known = d;
      else if (!known.is_number()) known = Dim::unknown();
    }
  }
  return extents;
}

// An axis of the space that is walked: its extent and each operand's stride along it.
struct WalkAxis {
  int64_t extent = 1;
  std::vector<int64_t> strides;
};

std::vector<WalkAxis> walk_axes(const EinsumLabels& e, const std::vector<int>& labels, const std::map<int, Dim>& extents, Inputs in) {
  std::vector<WalkAxis> axes;
  for (int label : labels) {
    WalkAxis axis{extents.at(label).number(), std::vector<int64_t>(in.size(), 0)};
    for (size_t n = 0; n < in.size(); ++n) {
      const auto strides = row_major_strides(in[n]->dims());
      for (size_t a = 0; a < e.operands[n].size(); ++a)
        if (e.operands[n][a] == label && in[n]->dims()[a] != 1) axis.strides[n] += strides[a];  // twice in one operand: its diagonal
    }
    axes.push_back(std::move(axis));
  }
  return axes;
}

// Calls f for every index of `axes`; `at` holds each operand's offset and comes back as it was.
template <class F>
void each_index(const std::vector<WalkAxis>& axes, std::vector<int64_t>& at, std::vector<int64_t>& index, F&& f) {
  for (const WalkAxis& a : axes)
    if (a.extent == 0) return;
  for (;;) {
    f();
    size_t axis = axes.size();
    for (; axis-- > 0;) {
      const WalkAxis& a = axes[axis];
      for (size_t n = 0; n < at.size(); ++n) at[n] += a.strides[n];
      if (++index[axis] < a.extent) break;
      for (size_t n = 0; n < at.size(); ++n) at[n] -= a.extent * a.strides[n];
      index[axis] = 0;
      if (axis == 0) return;
    }
    if (axes.empty()) return;
  }
}

template <class T>
void sum_products(const std::vector<WalkAxis>& kept, const std::vector<WalkAxis>& summed, Inputs in, Tensor& out) {
  using Sum = std::conditional_t<std::is_integral_v<T>, uint64_t, double>;
  std::vector<const T*> from;
  for (const Tensor* t : in) from.push_back(t->data<T>().data());
  T* to = out.data<T>().data();
  parallel_for(out.elements(), 256, [&](int64_t begin, int64_t end) {
    std::vector<int64_t> at(in.size()), index(summed.size(), 0);
    for (int64_t i = begin; i < end; ++i) {
      std::fill(at.begin(), at.end(), 0);
      int64_t rest = i;
      for (size_t axis = kept.size(); axis-- > 0; rest /= kept[axis].extent)
        for (size_t n = 0; n < at.size(); ++n) at[n] += rest % kept[axis].extent * kept[axis].strides[n];
      Sum sum{};
      each_index(summed, at, index, [&] {
        Sum product{1};
        for (size_t n = 0; n < at.size(); ++n) product *= static_cast<Sum>(from[n][at[n]]);
        sum += product;
      });
      if constexpr (std::is_integral_v<T>) to[i] = wrap<T>(sum);
      else to[i] = narrow<T>(sum);
    }
  });
}

}  // namespace

EinsumLabels einsum_labels(const std::string& equation, const std::vector<int64_t>& ranks) {
  std::string text;
  std::copy_if(equation.begin(), equation.end(), std::back_inserter(text), [](char c) { return c != ' '; });
  const size_t arrow = text.find("->");
  std::vector<Term> terms;
  std::string left = text.substr(0, arrow) + ",";
  for (size_t comma; (comma = left.find(',')) != std::string::npos; left.erase(0, comma + 1)) terms.push_back(parse_term(left.substr(0, comma)));
  require(terms.size() == ranks.size(), ErrorKind::model, "the equation '", equation, "' is for ", terms.size(), " operands, not ", ranks.size());
  EinsumLabels e;
  int64_t widest = 0;
  for (size_t n = 0; n < terms.size(); ++n) {
    const int64_t rest = ranks[n] - terms[n].letters();
    require(terms[n].ellipsis ? rest >= 0 : rest == 0, ErrorKind::model, "operand ", n, " of rank ", ranks[n], " does not fit the equation '",
            equation, "'");
    widest = std::max(widest, rest);
    e.operands.push_back(labels_of(terms[n], rest));
  }
  e.result = labels_of(arrow == std::string::npos ? implied_result(terms) : parse_term(text.substr(arrow + 2)), widest);
  for (const auto& labels : e.operands)
    for (int label : labels)
      if (!holds(e.result, label) && !holds(e.summed, label)) e.summed.push_back(label);
  for (size_t i = 0; i < e.result.size(); ++i) {
    const bool given = std::any_of(e.operands.begin(), e.operands.end(), [&](const auto& labels) { return holds(labels, e.result[i]); });
    const bool once = std::count(e.result.begin(), e.result.end(), e.result[i]) == 1;
    require(given && once, ErrorKind::model, "the result of the equation '", equation, "' is malformed");
  }
  return e;
}

std::vector<TensorType> Einsum::infer(const InferContext& in) const {
  require(in.size() > 0, ErrorKind::model, "expects at least one operand");
  const DType dtype = plain_tensor(in, 0).dtype;
  require(is_numeric(dtype), ErrorKind::model, "is not defined on ", info(dtype).name);
  std::vector<Shape> shapes;
  std::vector<int64_t> ranks;
  for (size_t n = 0; n < in.size(); ++n) {
    require(plain_tensor(in, n).dtype == dtype, ErrorKind::model, "operands of different types: ", info(dtype).name, " and ", info(in.dtype(n)).name);
    if (!in.shape(n).has_rank()) return {TensorType(dtype, Shape::unranked())};
    shapes.push_back(in.shape(n));
    ranks.push_back(in.shape(n).rank());
  }
  const EinsumLabels e = einsum_labels(equation, ranks);
  const auto extents = label_extents(e, shapes);
  std::vector<Dim> dims;
  for (int label : e.result) dims.push_back(extents.at(label));
  return {TensorType(dtype, Shape(dims))};
}

void Einsum::reference(Inputs in, Outputs out) const {
  std::vector<Shape> shapes;
  std::vector<int64_t> ranks;
  for (const Tensor* t : in) shapes.push_back(Shape::of(t->dims())), ranks.push_back(t->rank());
  const EinsumLabels e = einsum_labels(equation, ranks);
  const auto extents = label_extents(e, shapes);
  Dims dims;
  for (int label : e.result) dims.push_back(extents.at(label).number());
  shape_output(out[0], in[0]->dtype(), dims);
  const auto kept = walk_axes(e, e.result, extents, in), summed = walk_axes(e, e.summed, extents, in);
  visit_numeric(in[0]->dtype(), [&]<class T>(TypeTag<T>) { sum_products<T>(kept, summed, in, out[0]); });
}

std::optional<OnnxForm> Einsum::to_onnx(const Node&) const { return OnnxForm{"Einsum", {{"equation", equation}}, {}}; }

}  // namespace onecard
