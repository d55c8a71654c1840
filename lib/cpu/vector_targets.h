#pragma once
// Which instruction sets our Highway code is compiled for: the baseline, AVX2 and AVX-512. The ones between gain nothing here and cost
// compile time. Include before any Highway header.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4)
