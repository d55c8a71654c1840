#pragma once
#include <memory>

#include "lib/onnx/import.h"
#include "lib/onnx/weights.h"

namespace onecard {

// A parsed model whose weights were taken out and that imports each domain once.
struct LoadedModel {
  std::unique_ptr<onnx::ModelProto> proto;
  Weights weights;
  Opsets opsets;
};

// Reads and parses a model. Raises io or model.
LoadedModel load_model(const Path& path, const ImportOptions& options);
// onnx's own checker; raises model with its sentence.
void check_model(const onnx::ModelProto& model);
// What find_unsupported answers, of a loaded model.
std::vector<Unsupported> find_unsupported(const LoadedModel& model);

constexpr int kMaxDepth = 64;                         // of subgraphs and functions in one another

}  // namespace onecard
