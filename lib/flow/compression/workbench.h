#pragma once
#include "lib/flow/compression/compress.h"
#include "lib/flow/compression/judge.h"

namespace onecard {

// What every search for a recipe works with: the original network, who runs it, which samples serve what, and who judges.
struct Workbench {
  Workbench(const CompressionRequest& request, const FloatPipeline& pipeline, Device& device, const SampleSource& samples,
            const CompressionProgress& progress);

  // base with what was found and nothing else changed; values keep their names.
  GraphPtr built(const GraphPtr& base, const FoundLayers& found) const;
  // base as the whole pipeline leaves it with what was found: what would be shipped.
  GraphPtr shipped(const GraphPtr& base, const FoundLayers& found, const std::set<std::string>& skip) const;
  Networks networks(const GraphPtr& base) const;
  // Of the candidate's answers, on the held-out samples.
  double decibels(const GraphPtr& candidate) const;
  // On all that judge: where few are held out, and integers of the original network are looked for, the fitted ones too. Their ranges have little
  // that could be fitted to samples, and four samples tell them apart badly.
  double decibels_of_all(const GraphPtr& candidate) const;
  // On at most so many held-out samples, for one of several that are judged at once, each by one worker.
  double decibels_beside_others(const GraphPtr& candidate, size_t most) const;
  double error_beside_others(const GraphPtr& candidate, size_t most) const;
  std::vector<double> errors_beside_others(const GraphPtr& candidate, size_t most) const;

  const CompressionRequest& request;
  const FloatPipeline& pipeline;
  Device& device;
  const SampleSource& samples;
  const CompressionProgress& progress;
  int workers;
  std::shared_ptr<SharedWeights> weights;  // of all networks: what does not change is packed once
  GraphPtr dense;
  Team dense_team;
  Carry carry;
  SampleUse use;
  std::optional<Judge> judge;  // where recipes compete; the held-out samples are its first
};

}  // namespace onecard
