#pragma once
#include <functional>
#include <map>
#include <set>

#include "lib/flow/compression/fit.h"
#include "lib/flow/compression/judge.h"
#include "lib/flow/compression/site.h"
#include "passes/weight_codes.h"

namespace onecard {

using FoundLayers = std::map<std::string, FoundLayer>;

// What the float pipeline made of the original network, and of the pruned one (the same where nothing is pruned); both have the same layers.
struct Networks {
  GraphPtr dense, base;
  const Team* dense_team = nullptr;        // of dense; as many workers serve all that is done
  std::shared_ptr<SharedWeights> weights;  // of both
  // base with what was found, as integers where that says so; values keep their names.
  std::function<GraphPtr(const FoundLayers& found)> build;
};

enum class Weights : uint8_t { keep, repair /* least squares on the elements that are not 0 */ };
enum class Rounding : uint8_t { none, nearest, by_error };
enum class Means : uint8_t { keep, match /* in the bias */ };
// What a layer's sums are held to: the original network's, so that it makes up for what layers before it did, or what its own inputs would give.
enum class Sums : uint8_t { original, own };
using ZeroCounts = std::map<std::string, int64_t>;  // by layer
struct Refinement {
  Weights weights = Weights::keep;
  Rounding rounding = Rounding::none;
  Means means = Means::keep;
  CodeRequest codes{WeightPrecision::int8, 0, CodeRequest::Inputs::integers};  // where weights are rounded
  Sums sums = Sums::original;
  // With repair: which elements are 0 is chosen anew, by what they cost the sums (surgeon.h), so many of a layer as it says here, as before where
  // it says nothing. Null: those that are.
  std::shared_ptr<const ZeroCounts> zeros{};
  bool sequential() const { return weights == Weights::repair || rounding == Rounding::by_error || means == Means::match; }
};

// Goes through the layers of base in the order in which they run and settles each one's weight and bias; where rows are needed, those of the
// network with all earlier layers settled. Layers with `sites` take their input in these integers; those in `skip` keep what they have.
FoundLayers refine(const Networks& networks, Device& device, const SampleSource& samples, const std::vector<size_t>& fitted,
                   const std::map<std::string, SiteQuantization>& sites, const std::set<std::string>& skip, const Refinement& how,
                   const std::function<void(double)>& progress);

// What the zeros of one layer cost when they are chosen so: the layer as `zeros` of it leave it, and what each adds to the error of its sums, in the
// order in which they go, those beyond that number too.
struct ZeroCosts {
  FoundLayer found;
  std::vector<float> each;
};
// For every layer that `zeros` names and that is small enough, in the original network, each as if no other had any.
std::map<std::string, ZeroCosts> zero_costs(const Networks& networks, Device& device, const SampleSource& samples, const std::vector<size_t>& fitted,
                                            const ZeroCounts& zeros, const std::function<void(double)>& progress);

}  // namespace onecard
