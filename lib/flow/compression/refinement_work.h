#pragma once
#include "lib/flow/compression/refine.h"

namespace onecard {

// Places of a layer's input that one of so many samples gives the moments, at most.
int64_t rows_per_sample(const Layer& layer, size_t samples);

// Which moments a refinement needs.
MomentOrder order_of(const Refinement& how);

// Into how many stretches of layers a refinement divides `layers` of them; each is settled on runs of its own, over `fitted` samples.
size_t stretches_of(const Refinement& how, double run, size_t fitted, size_t layers);

// Operations, about, that a refinement takes, one run taking `run` of them: its runs, what it sums of their rows, and rounding.
double work_of_refinement(const Refinement& how, double run, size_t fitted, const std::vector<Layer>& layers);

}  // namespace onecard
