#pragma once
#include "lib/flow/compression/refine.h"

namespace onecard {

// Places of a layer's input that one of so many samples gives the moments, at most.
int64_t rows_per_sample(const Layer& layer, size_t samples);

// Which moments a refinement needs.
MomentOrder order_of(const Refinement& how);

// Into how many stretches of layers a refinement divides `layers` of them; each is settled on runs of its own.
size_t stretches_of(const Refinement& how, Executor& dense, const SampleSource& samples, const std::vector<size_t>& fitted, size_t layers);

// Multiplications, about, that a refinement takes: its runs, what it sums of their rows, and rounding.
double work_of_refinement(const Refinement& how, Executor& dense, const SampleSource& samples, const std::vector<size_t>& fitted,
                          const std::vector<Layer>& layers);

}  // namespace onecard
