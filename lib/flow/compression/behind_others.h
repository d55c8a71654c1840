#pragma once
#include "lib/flow/compression/layer.h"

namespace onecard {

// Which of these layers read what others of them have a part in. While none of them is settled, what reaches such a reader is not what will: were its
// rows taken from there, every layer on the way would make up for the same error of earlier layers, and together for far too much.
std::vector<bool> behind_others(const Graph& graph, const std::vector<const Layer*>& layers);

}  // namespace onecard
