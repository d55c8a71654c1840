#include "lib/ops/non_max_suppression.h"

#include <algorithm>
#include <numeric>

#include "lib/base/parallel.h"

namespace onecard {

namespace {

constexpr OnnxName kNames[] = {{"", "NonMaxSuppression", 10}};

struct Box {
  double x0, y0, x1, y1;
  double area() const { return (x1 - x0) * (y1 - y0); }
};

Box read_box(BoxForm form, const double* v) {
  if (form == BoxForm::centre) return {v[0] - v[2] / 2, v[1] - v[3] / 2, v[0] + v[2] / 2, v[1] + v[3] / 2};
  return {std::min(v[1], v[3]), std::min(v[0], v[2]), std::max(v[1], v[3]), std::max(v[0], v[2])};
}

bool overlap(const Box& a, const Box& b, double threshold) {
  const double width = std::min(a.x1, b.x1) - std::max(a.x0, b.x0), height = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
  if (width <= 0 || height <= 0 || a.area() <= 0 || b.area() <= 0) return false;
  return width * height / (a.area() + b.area() - width * height) > threshold;
}

// The boxes of one batch and class that stay, best first; equal scores keep the boxes' order.
std::vector<int64_t> kept_boxes(std::span<const Box> boxes, const double* scores, int64_t most, double iou, std::optional<double> least_score) {
  std::vector<int64_t> order, kept;
  for (int64_t i = 0; i < static_cast<int64_t>(boxes.size()); ++i)
    if (scores[i] == scores[i] && (!least_score || scores[i] > *least_score)) order.push_back(i);
  std::ranges::stable_sort(order, [&](int64_t a, int64_t b) { return scores[a] > scores[b]; });
  for (int64_t i : order) {
    if (static_cast<int64_t>(kept.size()) >= most) break;
    if (std::ranges::none_of(kept, [&](int64_t k) { return overlap(boxes[static_cast<size_t>(i)], boxes[static_cast<size_t>(k)], iou); }))
      kept.push_back(i);
  }
  return kept;
}

}  // namespace

std::vector<TensorType> NonMaxSuppression::infer(const InferContext& in) const {
  for (size_t i = 0; i < 2; ++i) {
    visit_float(in.dtype(i), [](auto) {});
    require(!in.shape(i).has_rank() || in.shape(i).rank() == 3, ErrorKind::model, "input ", i, " has shape ", in.shape(i), "; rank 3 is needed");
  }
  const Shape &boxes = in.shape(0), &scores = in.shape(1);
  if (boxes.has_rank()) require(!boxes[2].is_number() || boxes[2] == Dim(4), ErrorKind::model, "boxes has shape ", boxes);
  if (boxes.has_rank() && scores.has_rank()) {
    const auto differ = [](const Dim& a, const Dim& b) { return a.is_number() && b.is_number() && a != b; };
    require(!differ(boxes[0], scores[0]) && !differ(boxes[1], scores[2]), ErrorKind::model, "boxes ", boxes, " and scores ", scores, " do not fit");
  }
  if (in.has(2)) require(in.dtype(2) == DType::i64, ErrorKind::model, "max_output_boxes_per_class is ", info(in.dtype(2)).name);
  return {TensorType(DType::i64, Shape{Dim::unknown(), 3})};
}

void NonMaxSuppression::reference(Inputs in, Outputs out) const {
  const auto given = [&](size_t i) { return i < in.size() && in[i] && in[i]->elements() > 0; };
  const std::vector<double> boxes = to_doubles(*in[0]), scores = to_doubles(*in[1]);
  const int64_t batches = in[1]->dims()[0], classes = in[1]->dims()[1], count = in[1]->dims()[2], most = given(2) ? in[2]->int_at(0) : 0;
  require(static_cast<int64_t>(boxes.size()) == batches * count * 4, ErrorKind::model, boxes.size(), " box numbers for ", batches, " batches of ",
          count);
  const double iou = given(3) ? in[3]->at(0) : 0.0;
  const std::optional<double> least = given(4) ? std::optional(in[4]->at(0)) : std::nullopt;
  std::vector<std::vector<int64_t>> kept(static_cast<size_t>(batches * classes));
  parallel_for(batches * classes, 1, [&](int64_t begin, int64_t end) {
    std::vector<Box> corners(static_cast<size_t>(count));
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t b = 0; b < count; ++b) corners[static_cast<size_t>(b)] = read_box(box_form, boxes.data() + (i / classes * count + b) * 4);
      kept[static_cast<size_t>(i)] = kept_boxes(corners, scores.data() + i * count, most, iou, least);
    }
  });
  const int64_t total =
      std::accumulate(kept.begin(), kept.end(), int64_t{0}, [](int64_t sum, const auto& k) { return sum + static_cast<int64_t>(k.size()); });
  out[0] = Tensor(DType::i64, {total, 3});
  int64_t* to = out[0].data<int64_t>().data();
  for (int64_t i = 0; i < batches * classes; ++i)
    for (int64_t box : kept[static_cast<size_t>(i)]) *to++ = i / classes, *to++ = i % classes, *to++ = box;
}

std::optional<OnnxForm> NonMaxSuppression::to_onnx(const Node&) const {
  return OnnxForm{"NonMaxSuppression", {{"center_point_box", int64_t{box_form == BoxForm::centre}}}, ""};
}

const std::span<const OnnxName> NonMaxSuppression::kOnnx{kNames};

std::vector<Value*> NonMaxSuppression::from_onnx(const OnnxNode& node) {
  NonMaxSuppression op;
  op.box_form = node.attr<int64_t>("center_point_box", 0) != 0 ? BoxForm::centre : BoxForm::corners;
  std::vector<Value*> in{node.needed(0), node.needed(1), node.input(2), node.input(3), node.input(4)};
  while (!in.back()) in.pop_back();
  return node.add_all(std::move(op), std::move(in));
}

DEFINE_OP(NonMaxSuppression)

}  // namespace onecard
