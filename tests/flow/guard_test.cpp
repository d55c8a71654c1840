#include "lib/flow/guard.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lib/ir/text.h"

namespace onecard {
namespace {

// Networks whose layers add a known error each and take known bytes: a network is an empty graph whose name lists what was raised.
struct Pretended {
  std::map<std::string, double> error;     // relative, of a compressed layer
  std::map<std::string, int64_t> bytes;    // that raising costs
  std::map<std::string, double> of_zeros;  // the part of the error and half of the bytes that go when the zeros go
  double floor = 0;                        // of the network with everything raised
  int runs = 0, probes = 0;

  GuardWork work(std::vector<Raise> ways = {Raise::whole}) {
    GuardWork w;
    for (const auto& [name, e] : error) w.layers.push_back(name);
    w.ways = std::move(ways);
    w.build = [](const Raised& raised) {
      Graph g;
      for (const auto& [name, how] : raised) g.add_input(name, TensorType(DType::f32, Shape::of({how == Raise::whole ? 2 : 1})));
      return std::make_shared<const Graph>(std::move(g));
    };
    w.measure = [this](const GraphPtr& g) { return ++runs, measured(*g, 3); };
    w.measure_some = [this](const GraphPtr& g, const std::vector<size_t>& places) { return ++probes, measured(*g, places.size()); };
    w.stored_bytes = [this](const GraphPtr& g) {
      int64_t sum = 1000;
      for (const auto& [name, b] : bytes)
        if (const Value* v = g->find(name)) sum += v->type.shape[0].number() == 2 ? b : b / 2;
      return sum;
    };
    return w;
  }

  Measured measured(const Graph& g, size_t samples) const {
    double e = floor;
    for (const auto& [name, own] : error) {
      const Value* v = g.find(name);
      if (!v) e += own;
      else if (v->type.shape[0].number() == 1) e += own - of_zeros.at(name);
    }
    Measured m;
    Comparison c;
    c.sqnr_db = e > 0 ? -10 * std::log10(e) : std::numeric_limits<double>::infinity();
    c.cosine = 1 / std::sqrt(1 + e);
    m.accuracy.outputs.push_back({"y", "", c, c, 1, 1});
    m.accuracy.samples = static_cast<int64_t>(samples);
    m.relative_error.assign(samples, {e});
    return m;
  }
};

Gates at_least(double db) {
  Gates g;
  g.min_sqnr_db = db;
  return g;
}

GuardResult run(Pretended& p, const Gates& gates, std::vector<Raise> ways = {Raise::whole}) {
  return guard(p.work(std::move(ways)), gates, [](double) {});
}

TEST(Guard, NothingIsRaisedAndOneNetworkRunWhereTheGateHolds) {
  Pretended p{{{"a", 1e-4}, {"b", 1e-4}}, {{"a", 10}, {"b", 10}}, {}};
  const GuardResult r = run(p, at_least(30));
  EXPECT_TRUE(r.holds);
  EXPECT_TRUE(r.raised.empty());
  EXPECT_EQ(p.runs, 1);
  EXPECT_EQ(p.probes, 0);
  ASSERT_EQ(r.prices.size(), 1u);
  EXPECT_TRUE(r.prices[0].shipped);
}

TEST(Guard, TheLayerThatCostsMostErrorPerByteIsRaised) {
  Pretended p{{{"a", 1e-2}, {"b", 2e-2}, {"c", 1e-5}}, {{"a", 10}, {"b", 1000}, {"c", 1}}, {}};
  const GuardResult r = run(p, at_least(16.8));  // 2.1e-2: either a or b would do
  EXPECT_EQ(r.raised, (Raised{{"a", Raise::whole}}));
  EXPECT_TRUE(r.holds);
  ASSERT_FALSE(r.layers.empty());
  EXPECT_EQ(r.layers[0].layers, std::vector<std::string>{"a"});
}

TEST(Guard, WhatIsNotNeededIsTakenBack) {
  // In the order of error per byte a comes before b, but only b is needed.
  Pretended p{{{"a", 1e-4}, {"b", 5e-2}, {"c", 1e-6}}, {{"a", 1}, {"b", 5000}, {"c", 100000}}, {}};
  const GuardResult r = run(p, at_least(30));
  EXPECT_EQ(r.raised, (Raised{{"b", Raise::whole}}));
}

TEST(Guard, WhatCannotHoldRaisesEverythingOnceAndSaysWhatItHas) {
  Pretended p{{{"a", 1e-2}, {"b", 1e-2}}, {{"a", 10}, {"b", 10}}, {}, 1e-6};
  const GuardResult r = run(p, at_least(80));
  EXPECT_FALSE(r.holds);
  EXPECT_EQ(p.runs, 2);
  EXPECT_EQ(p.probes, 0);
  ASSERT_EQ(r.missed.size(), 1u);
  EXPECT_NE(r.missed[0].message.find("60 breaks at least 80"), std::string::npos) << r.missed[0].message;
}

TEST(Guard, AGateThatOnlyTheTightOneMissesHolds) {
  Pretended p{{{"a", 1e-2}, {"b", 0}}, {{"a", 10}, {"b", 1}}, {}, 1e-6};
  const GuardResult r = run(p, at_least(59.99));  // without a there is 60, tightened it would be 60.04
  EXPECT_TRUE(r.holds);
  EXPECT_EQ(r.raised, (Raised{{"a", Raise::whole}}));
}

TEST(Guard, ANetworkOfWhichNothingIsCompressedIsNotShipped) {
  Pretended p{{{"a", 1e-2}, {"b", 1e-3}}, {{"a", 10}, {"b", 10}}, {}};
  const GuardResult r = run(p, at_least(40));
  EXPECT_FALSE(r.holds);
  EXPECT_EQ(r.missed_with, 1u);
  ASSERT_EQ(r.missed.size(), 1u);
  EXPECT_NE(r.missed[0].message.find("30 breaks at least 40"), std::string::npos) << r.missed[0].message;
}

TEST(Guard, ZerosGoBeforeIntegersWhereThatIsCheaper) {
  // Zeros make nearly all of the error and half of the bytes: the integers may stay.
  Pretended p{{{"a", 1e-2}, {"b", 1e-2}}, {{"a", 1000}, {"b", 1000}}, {{"a", 0.99e-2}, {"b", 0.99e-2}}};
  const GuardResult r = run(p, at_least(30), {Raise::unpruned, Raise::whole});
  EXPECT_EQ(r.raised, (Raised{{"a", Raise::unpruned}, {"b", Raise::unpruned}}));
  // Integers make nearly all of it: a layer is then raised whole, and not by its zeros alone.
  Pretended q{{{"a", 1e-2}, {"b", 1e-6}}, {{"a", 1000}, {"b", 1000}}, {{"a", 1e-5}, {"b", 0}}};
  const GuardResult s = run(q, at_least(30), {Raise::unpruned, Raise::whole});
  EXPECT_EQ(s.raised, (Raised{{"a", Raise::whole}}));
}

TEST(Guard, ManyLayersAreProbedInGroupsAndTheNumberOfRunsIsBounded) {
  Pretended p;
  for (int i = 0; i < 400; ++i) {
    const std::string name = "l" + std::to_string(1000 + i);
    p.error[name] = 1e-5;
    p.bytes[name] = 100;
  }
  const GuardResult r = run(p, at_least(27));
  EXPECT_TRUE(r.holds);
  EXPECT_LE(p.probes, 161);
  EXPECT_LE(p.runs, 20);
  EXPECT_GT(r.raised.size(), 180u);
  EXPECT_LT(r.raised.size(), 220u);
}

TEST(Guard, ACosineGateIsHeld) {
  Pretended p{{{"a", 1e-1}, {"b", 1e-3}}, {{"a", 10}, {"b", 10}}, {}};
  Gates g;
  g.min_cosine = 0.99;
  const GuardResult r = run(p, g);
  EXPECT_EQ(r.raised, (Raised{{"a", Raise::whole}}));
}

}  // namespace
}  // namespace onecard
