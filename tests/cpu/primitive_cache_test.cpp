#include "lib/cpu/primitive_cache.h"

#include <gtest/gtest.h>

#include "lib/base/parallel.h"

namespace onecard {
namespace {

using dnnl::memory;

memory::desc matrix(int64_t rows, memory::format_tag tag = memory::format_tag::ab) { return {{rows, 8}, memory::data_type::f32, tag}; }

PrimitiveKey key_of(const dnnl::post_ops& ops, const memory::desc& a = matrix(4)) {
  PrimitiveKey key("product");
  key.with(a).with(ops);
  return key;
}

dnnl::post_ops clipped(float most) {
  dnnl::post_ops ops;
  ops.append_eltwise(dnnl::algorithm::eltwise_clip, 0, most);
  return ops;
}

dnnl::post_ops added(const memory::desc& operand) {
  dnnl::post_ops ops;
  ops.append_binary(dnnl::algorithm::binary_add, operand);
  return ops;
}

// A primitive is asked of oneDNN once for all that it would decide alike.
TEST(PrimitiveCache, AsksOnceForEqualKeys) {
  PrimitiveCache cache;
  int made = 0;
  const auto get = [&](const PrimitiveKey& key) { return cache.get<int>(key, [&] { return ++made; }); };
  EXPECT_EQ(get(key_of(clipped(6))), 1);
  EXPECT_EQ(get(key_of(clipped(6))), 1);
  EXPECT_EQ(get(key_of(clipped(5))), 2);
  EXPECT_EQ(get(key_of({})), 3);
  EXPECT_EQ(get(key_of(clipped(6), matrix(5))), 4);
  EXPECT_EQ(get(key_of(clipped(6), matrix(4, memory::format_tag::ba))), 5);
  EXPECT_EQ(get(key_of(clipped(6), {{4, 8}, memory::data_type::s8, memory::format_tag::ab})), 6);
  EXPECT_EQ(get(key_of(added(matrix(4)))), 7);
  EXPECT_EQ(get(key_of(added(matrix(4, memory::format_tag::ba)))), 8);
  EXPECT_EQ(get(key_of(added(matrix(4)))), 7);
  // A column and its transpose: oneDNN compares them as equal.
  const memory::desc column({8, 1}, memory::data_type::f32, {1, 1}), transposed({8, 1}, memory::data_type::f32, {1, 8});
  EXPECT_EQ(get(key_of({}, column)), 9);
  EXPECT_EQ(get(key_of({}, transposed)), 10);
  const int before = thread_count();
  set_threads(before + 1);
  EXPECT_EQ(get(key_of(clipped(6))), 11);
  set_threads(before);
  EXPECT_EQ(get(key_of(clipped(6))), 1);
}

}  // namespace
}  // namespace onecard
