#pragma once
#include "lib/runtime/data/samples.h"
#include "lib/runtime/team.h"

namespace onecard {

// Multiplications that one run of the network over a sample costs, with what any run costs beside them; layers in bodies count by their weights.
double work_of_run(Executor& executor, const SampleSource& samples, size_t sample);
// How many samples' rows say how weights are rounded and repaired: more where a run is cheap.
size_t samples_to_fit(double work_of_run);
// Into how many stretches of layers these runs may be divided, each of which needs runs of its own.
double stretches_to_fit(double work_of_run, size_t samples);
// On how many samples single weights or layers are looked at, one after the other, when this is what one sample costs for all of them; 0: too much.
size_t samples_to_probe(double work_of_all);

}  // namespace onecard
