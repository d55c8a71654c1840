#pragma once
#include <any>
#include <map>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <vector>

namespace onecard {

// Attributes and what they are, post-ops left out, in words that differ wherever they do.
struct NamedAttr {
  dnnl::primitive_attr attr;
  std::string text;
};

// All that oneDNN is told of a primitive, for looking it up. Two are the same where oneDNN would decide the same.
class PrimitiveKey {
 public:
  // `what`: the kind of primitive and the attributes other than post-ops.
  explicit PrimitiveKey(std::string what);
  PrimitiveKey& with(const dnnl::memory::desc& desc);
  PrimitiveKey& with(const dnnl::memory::dims& numbers);
  PrimitiveKey& with(const dnnl::post_ops& ops);
  bool operator==(const PrimitiveKey& o) const { return text_ == o.text_ && descs_ == o.descs_; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::vector<dnnl::memory::desc> descs_;  // types and formats
};

// Primitive descriptors as oneDNN chose them: it searches its blockings anew each time it is asked, a tenth of a millisecond and more for a
// convolution, and one is asked for by every plan of every thread. Safe to use from several threads.
class PrimitiveCache {
 public:
  template <class Desc, class Make>
  Desc get(const PrimitiveKey& key, Make make) {
    if (const std::any known = find(key); known.has_value()) return std::any_cast<Desc>(known);
    Desc made = make();
    if (made) keep(key, made);  // that there is none may have been for lack of memory
    return made;
  }

 private:
  std::any find(const PrimitiveKey& key);
  void keep(const PrimitiveKey& key, std::any desc);
  std::mutex mutex_;
  std::multimap<std::string, std::pair<PrimitiveKey, std::any>> held_;
};

}  // namespace onecard
