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
struct Refinement {
  Weights weights = Weights::keep;
  Rounding rounding = Rounding::none;
  Means means = Means::keep;
  CodeRequest codes{WeightPrecision::int8, 0, CodeRequest::Inputs::integers};  // where weights are rounded
  bool sequential() const { return weights == Weights::repair || rounding == Rounding::by_error || means == Means::match; }
};

// Goes through the layers of base in the order in which they run and settles each one's weight and bias; where rows are needed, those of the
// network with all earlier layers settled. Layers with `sites` take their input in these integers; those in `skip` keep what they have.
FoundLayers refine(const Networks& networks, Device& device, const SampleSource& samples, const std::vector<size_t>& fitted,
                   const std::map<std::string, SiteQuantization>& sites, const std::set<std::string>& skip, const Refinement& how,
                   const std::function<void(double)>& progress);

}  // namespace onecard
