#pragma once
#include "lib/ir/graph.h"

namespace onecard {

// How many of a node's first inputs hold the numbers that it only moves or chooses from, value by value; 0 for other nodes. Such a node
// gives the same on stored integers as on the numbers they stand for, when all carriers are quantized alike with positive scales.
size_t carriers(const Node& node);

}  // namespace onecard
