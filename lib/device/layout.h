#pragma once
#include <memory>
#include <string>

#include "lib/ir/type.h"

namespace onecard {

// How a device arranges a tensor's elements in memory, when that is not plain row-major. Known only to the device that made it.
class LayoutDetail {
 public:
  virtual ~LayoutDetail() = default;
  virtual bool equals(const LayoutDetail& other) const = 0;
  virtual int64_t bytes() const = 0;                  // padding included
  virtual std::string text() const = 0;               // "nChw16c"
};

// Null: plain row-major.
using Layout = std::shared_ptr<const LayoutDetail>;

inline bool same_layout(const Layout& a, const Layout& b) { return a == b || (a && b && a->equals(*b)); }
inline std::string layout_text(const Layout& l) { return l ? l->text() : "plain"; }
inline int64_t layout_bytes(const Layout& l, const TensorType& type) { return l ? l->bytes() : type.bytes(); }

}  // namespace onecard
