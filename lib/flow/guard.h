#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "lib/flow/accuracy_meter.h"

namespace onecard {

// What is taken back of a layer's compression.
enum class Raise : uint8_t { unpruned /* its integers stay, the zeros go */, whole /* it is what it was */ };
using Raised = std::map<std::string, Raise>;  // by layer

// How the guard makes networks and asks about them.
struct GuardWork {
  std::vector<std::string> layers;  // that may be raised
  std::vector<Raise> ways;          // to raise one, the cheapest first; the last is `whole`
  std::function<GraphPtr(const Raised&)> build;
  std::function<Measured(const GraphPtr&)> measure;  // over all samples
  std::function<Measured(const GraphPtr&, const std::vector<size_t>& places)> measure_some;
  std::function<int64_t(const GraphPtr&)> stored_bytes;  // of the weights
  bool in_order = false;                                 // places must be the first ones
};

// A network that was tried.
struct PriceRow {
  Raised raised;
  int64_t stored_bytes = 0;
  double seconds = 0;  // of one run over all samples
  DiffResult accuracy;
  bool holds = false, shipped = false;
};
// What one layer's compression costs, and what taking it back does.
struct LayerPrice {
  std::vector<std::string> layers;  // one, or neighbours that are raised together
  Raise raise = Raise::whole;
  double error = 0;   // power of the outputs' error relative to their own, when these layers alone are compressed, that goes
  int64_t bytes = 0;  // stored, that come
};
struct GuardResult {
  bool holds = false;
  Raised raised;                    // of the network that holds the gates
  std::vector<PriceRow> prices;     // by the number of raised layers
  std::vector<LayerPrice> layers;   // in the order in which they are raised
  std::vector<ReportCheck> missed;  // where nothing that is compressed holds: the gates that the one with most layers raised breaks,
  size_t missed_with = 0;           // and how many layers are raised in it
};

// Raises the layers that cost the outputs most per stored byte until the gates hold, as few bytes as can be found in a bounded number of runs: each
// layer alone compressed on a few samples, then whole networks: nothing raised, everything, a bisection over the order, and single layers taken back.
// No run at all beyond the first one when nothing need be raised.
GuardResult guard(const GuardWork& work, const Gates& gates, const std::function<void(double)>& progress);

// The gates a hair tighter: what holds these holds the gates themselves also where sums are split over threads another way.
Gates tightened(const Gates& gates);

}  // namespace onecard
