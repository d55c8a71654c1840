#include <gtest/gtest.h>

#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "lib/base/parallel.h"
#include "lib/bundle/bundle.h"
#include "lib/bundle/write_behind.h"
#include "lib/ops/registry.h"

namespace onecard {
namespace {

using format::Encoding;

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("onecard-bundle-test-" + std::to_string(::getpid()))) {
    std::filesystem::create_directory(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Path operator/(const char* name) const { return path_ / name; }

 private:
  Path path_;
};

Bytes bytes_of(std::initializer_list<float> values) {
  const auto b = std::as_bytes(std::span(values.begin(), values.size()));
  return {b.begin(), b.end()};
}

// More bytes than may wait, from owners that nobody else holds.
TEST(WriteBehind, WritesInOrderAndSums) {
  const Folder folder;
  Bytes all;
  uint64_t sum = 0;
  {
    AtomicFile file(folder / "behind");
    WriteBehind writer(file);
    for (int i = 0; i < 50; ++i) {
      const auto part = std::make_shared<const Bytes>(Bytes(static_cast<size_t>(i) * 40'000, static_cast<std::byte>(i)));
      all.insert(all.end(), part->begin(), part->end());
      writer.write(*part, part);
    }
    sum = writer.finish();
    file.commit();
  }
  EXPECT_EQ(sum, checksum(all));
  const std::string read = read_text(folder / "behind");
  ASSERT_EQ(read.size(), all.size());
  EXPECT_EQ(std::memcmp(read.data(), all.data(), all.size()), 0);
}

TEST(WriteBehind, WhatCannotBeWrittenIsRaised) {
  const Folder folder;
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 1 << 20;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  {
    AtomicFile file(folder / "behind");
    WriteBehind writer(file);
    const auto part = std::make_shared<const Bytes>(Bytes(400'000, std::byte{1}));
    EXPECT_THROW(
        {
          for (int i = 0; i < 200; ++i) writer.write(*part, part);
          writer.finish();
        },
        Error);
  }
  {
    AtomicFile file(folder / "left");
    WriteBehind writer(file);  // not finished: an error elsewhere unwinds
    writer.write(std::span(std::as_bytes(std::span("text", 4))), nullptr);
  }
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_DFL);
  EXPECT_TRUE(std::filesystem::is_empty(folder / ""));
}

TEST(Encodings, EveryOneIsLossless) {
  for (const Bytes& plain : {bytes_of({}), bytes_of({0, 1, 0, -0.0f, 3.5f, 0, 0, 7, 9}), Bytes(100000, std::byte{0})})
    for (uint8_t e = 0; e < format::kEncodingCount; ++e)
      for (const size_t width : {size_t{1}, size_t{2}, size_t{4}}) {
        if (plain.size() % width) continue;
        const auto encoding = static_cast<Encoding>(e);
        const Bytes stored = encode_chunk(encoding, plain, width);
        if (stored.empty() && !plain.empty()) continue;  // does not apply
        Bytes out(plain.size());
        if (encoding != Encoding::raw && plain.empty() && stored.empty()) continue;
        decode_chunk(encoding, stored, out, width);
        EXPECT_EQ(out, plain) << encoding_name(encoding) << " " << width;
      }
}

Graph network() {
  return parse_graph(R"(graph "t"(%x: f32[batch,4]) {
    %w: f32[4,64] = constant
    %z: f32[4096,16] = constant
    %names: string[2] = constant ["a","bc"]
    %e: f32[0,3] = constant []
    %k: i4[3] = constant [1,-2,3]
    %y = matmul(%x, %w)
    return %y, %z, %names, %e, %k
  })");
}

TEST(Bundle, ReadsBackTheSame) {
  const Folder folder;
  const Graph g = network();
  SelfCheck check;
  check.seed = 3;
  check.inputs.push_back(random_tensor(TensorType(DType::f32, Shape{2, 4}), 3));
  check.outputs.push_back({"y", DType::f32, {2, 64}, 1.5, {1, 2}, {1, 2.5}});
  const BundleSizes sizes = write_bundle(folder / "a.onecard", g, R"({"a": 1})", std::optional(std::move(check)));
  EXPECT_EQ(sizes.file_bytes, static_cast<int64_t>(std::filesystem::file_size(folder / "a.onecard")));
  const auto bundle = Bundle::open(folder / "a.onecard", CheckWeights::now);
  EXPECT_EQ(bundle->manifest(), R"({"a": 1})");
  const Graph back = bundle->graph();
  EXPECT_TRUE(same_structure(g, back));
  for (const auto& v : g.values()) {
    if (v.constant) { EXPECT_TRUE(identical(*v.constant, *materialize(back.find(v.name)->constant))) << v.name; }
  }
  EXPECT_TRUE(back.find("z")->constant->is_deferred());
  ASSERT_TRUE(bundle->self_check());
  EXPECT_TRUE(identical(bundle->self_check()->inputs[0].clone(), random_tensor(TensorType(DType::f32, Shape{2, 4}), 3)));
  EXPECT_EQ(bundle->self_check()->outputs[0].original, (std::vector<double>{1, 2.5}));
}

TEST(Bundle, SameBytesAtAnyThreadCount) {
  const Folder folder;
  const Graph g = network();
  std::vector<std::string> files;
  for (const int threads : {1, 2, 5}) {
    set_threads(threads);
    write_bundle(folder / "t.onecard", g, "{}", std::nullopt);
    files.push_back(read_text(folder / "t.onecard"));
  }
  set_threads(0);
  EXPECT_EQ(files[0], files[1]);
  EXPECT_EQ(files[0], files[2]);
}

TEST(Bundle, AnyChangedByteIsNoticed) {
  const Folder folder;
  const Graph g = parse_graph("graph(%x: f32[3]) { %c: f32[3] = constant [1,2,3] %y = binary(%x, %c) return %y }");
  write_bundle(folder / "a.onecard", g, "{}", std::nullopt);
  const std::string good = read_text(folder / "a.onecard");
  const auto opens = [&](const std::string& bytes) {
    write_text(folder / "b.onecard", bytes);
    try {
      Bundle::open(folder / "b.onecard", CheckWeights::now)->graph();
      return true;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind, ErrorKind::io) << e.what();
      return false;
    }
  };
  EXPECT_TRUE(opens(good));
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    EXPECT_FALSE(opens(bad)) << "byte " << i;
  }
  for (const size_t n : {size_t{0}, size_t{7}, size_t{39}, good.size() / 2, good.size() - 1}) EXPECT_FALSE(opens(good.substr(0, n))) << n;
  EXPECT_FALSE(opens(good + '\0'));
}

// An operation that no version has yet.
struct FromTheFuture : OpBase<FromTheFuture> {
  static constexpr std::string_view kName = "from_the_future";
  static constexpr auto kFields = std::tuple{};
  std::vector<TensorType> infer(const InferContext& in) const override { return {in.type(0)}; }
  void reference(Inputs, Outputs) const override {}
};

TEST(Bundle, AnUnknownOperationMeansANewerProgram) {
  const Folder folder;
  Graph g = network();
  g.outputs[0] = g.add(std::make_shared<const FromTheFuture>(), {g.inputs[0]}, "later").output();
  write_bundle(folder / "x.onecard", g, "{}", std::nullopt);
  try {
    Bundle::open(folder / "x.onecard", CheckWeights::now)->graph();
    FAIL() << "it was read";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind, ErrorKind::io);
    EXPECT_NE(e.message.find("made by a newer onecard"), std::string::npos) << e.message;
  }
}

TEST(Bundle, NothingIsLeftWhenWritingFails) {
  const Folder folder;
  EXPECT_THROW(write_bundle(folder / "no/such/x.onecard", network(), "{}", std::nullopt), Error);
  EXPECT_FALSE(std::filesystem::exists(folder / "no"));
}

}  // namespace
}  // namespace onecard
