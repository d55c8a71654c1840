#include "lib/cpu/layout.h"

#include <algorithm>
#include <numeric>

namespace onecard {
namespace {

using dnnl::memory;

// One loop over memory: part of an axis, so many elements apart.
struct Piece {
  size_t axis;
  int64_t size, stride;
};

// The loops that walk the padded tensor, outermost first; loops of one turn left out.
std::vector<Piece> pieces_of(const memory::desc& desc) {
  const auto padded = desc.get_padded_dims();
  const auto strides = desc.get_strides();
  const auto blocks = desc.get_inner_blks();
  const auto axes = desc.get_inner_idxs();
  std::vector<int64_t> outer(padded.begin(), padded.end());
  std::vector<Piece> inner;
  int64_t stride = 1;
  for (size_t i = blocks.size(); i-- > 0;) {
    const auto axis = static_cast<size_t>(axes[i]);
    outer[axis] /= blocks[i];
    if (blocks[i] > 1) inner.insert(inner.begin(), {axis, blocks[i], stride});
    stride *= blocks[i];
  }
  std::vector<Piece> pieces;
  for (size_t a = 0; a < outer.size(); ++a)
    if (outer[a] > 1) pieces.push_back({a, outer[a], strides[a]});
  std::stable_sort(pieces.begin(), pieces.end(), [](const Piece& x, const Piece& y) { return x.stride > y.stride; });
  pieces.insert(pieces.end(), inner.begin(), inner.end());
  return pieces;
}

bool is_blocked_kind(const memory::desc& desc) { return desc.get_format_kind() == memory::format_kind::blocked; }

}  // namespace

memory::data_type dnnl_type(DType t) {
  switch (t) {
    case DType::f32: return memory::data_type::f32;
    case DType::i32: return memory::data_type::s32;
    case DType::i8: return memory::data_type::s8;
    case DType::u8: return memory::data_type::u8;
    default: return memory::data_type::undef;
  }
}

OneDnnLayout::OneDnnLayout(memory::desc desc) : desc_(std::move(desc)) {
  for (const auto d : desc_.get_dims()) order_ += std::to_string(d) + ",";
  if (!is_blocked_kind(desc_)) return;
  for (const Piece& p : pieces_of(desc_)) order_ += " " + std::to_string(p.axis) + "x" + std::to_string(p.size) + "@" + std::to_string(p.stride);
}

bool OneDnnLayout::equals(const LayoutDetail& other) const {
  const auto* o = dynamic_cast<const OneDnnLayout*>(&other);
  return o && (is_blocked_kind(desc_) ? order_ == o->order_ : desc_ == o->desc_);
}

std::string OneDnnLayout::text() const { return format_text(desc_); }

Layout layout_of(const memory::desc& desc) {
  if (is_blocked_kind(desc) && desc.get_dims() == desc.get_padded_dims()) {
    bool plain = true;
    size_t axis = 0;
    int64_t expected = 1;
    const auto pieces = pieces_of(desc);
    for (const Piece& p : pieces) {
      plain = plain && p.axis >= axis;
      axis = p.axis;
    }
    for (size_t i = pieces.size(); i-- > 0;) {
      plain = plain && pieces[i].stride == expected;
      expected *= pieces[i].size;
    }
    if (plain) return nullptr;
  }
  return std::make_shared<OneDnnLayout>(desc);
}

memory::desc plain_desc(const Dims& dims, memory::data_type type) {
  if (dims.empty()) return memory::desc({1}, type, memory::dims{1});
  return memory::desc(dims, type, row_major_strides(dims));
}

memory::desc desc_of(const TensorType& type, const Layout& layout) {
  if (!layout) return plain_desc(type.shape.numbers(), dnnl_type(type.dtype));
  const auto* own = dynamic_cast<const OneDnnLayout*>(layout.get());
  require(own != nullptr, ErrorKind::internal, "layout ", layout->text(), " was not made by this device");
  return own->desc();
}

Layout channels_last(const TensorType& type) {
  using tag = memory::format_tag;
  constexpr tag kLast[] = {tag::nwc, tag::nhwc, tag::ndhwc};
  const Dims dims = type.shape.numbers();
  require(dims.size() >= 3 && dims.size() <= 5, ErrorKind::internal, "no channels-last form of ", type);
  return layout_of(memory::desc(dims, dnnl_type(type.dtype), kLast[dims.size() - 3]));
}

std::optional<memory::desc> same_format(const memory::desc& like, const Dims& dims, memory::data_type type) {
  using tag = memory::format_tag;
  static constexpr tag kTags[] = {tag::abc,     tag::acb,     tag::aBc4b,    tag::aBc8b,   tag::aBc16b, tag::abcd,
                                  tag::acdb,    tag::aBcd4b,  tag::aBcd8b,   tag::aBcd16b, tag::abcde,  tag::acdeb,
                                  tag::aBcde4b, tag::aBcde8b, tag::aBcde16b, tag::ab,      tag::ba};
  for (const tag t : kTags) {
    const memory::desc trial(like.get_dims(), like.get_data_type(), t, true);
    if (!trial || trial != like) continue;
    memory::desc made(dims, type, t, true);
    if (made) return made;
  }
  return std::nullopt;
}

std::string format_text(const memory::desc& desc) {
  if (!is_blocked_kind(desc)) return "opaque" + std::to_string(desc.get_size());
  const size_t rank = desc.get_dims().size();
  const std::string letters = rank == 3 ? "ncw" : rank == 4 ? "nchw" : rank == 5 ? "ncdhw" : "abcdefghijkl";
  const auto strides = desc.get_strides();
  const auto blocks = desc.get_inner_blks();
  const auto axes = desc.get_inner_idxs();
  std::vector<size_t> order(rank);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return strides[a] > strides[b]; });
  std::string text;
  for (const size_t axis : order) {
    const bool blocked = std::find(axes.begin(), axes.end(), static_cast<memory::dim>(axis)) != axes.end();
    text += blocked ? static_cast<char>(letters[axis] - 'a' + 'A') : letters[axis];
  }
  for (size_t i = 0; i < blocks.size(); ++i) text += std::to_string(blocks[i]) + letters[static_cast<size_t>(axes[i])];
  return text;
}

}  // namespace onecard
