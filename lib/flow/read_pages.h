#pragma once
#include <memory>
#include <mutex>
#include <vector>

#include "lib/base/file.h"
#include "lib/plan/plan.h"

namespace onecard {

// Lets go of the pages of mapped weights, each time that a good part of them was read: they stay in the system's cache, and not in this process.
class ReadPages {
 public:
  explicit ReadPages(const std::vector<std::shared_ptr<const MappedFile>>& files) : files_(files) {}
  ~ReadPages() { release(); }
  ReadPages(const ReadPages&) = delete;
  ReadPages& operator=(const ReadPages&) = delete;
  void release() {
    for (const auto& file : files_) file->release(file->bytes());
    read_ = 0;
  }
  void after(const Tensor& constant) {
    const std::lock_guard lock(mutex_);
    read_ += constant.bytes();
    if (read_ > kResident) release();
  }
  // After a step that read these constants.
  void after(const PlanStep& step) {
    if (!step.node) return;
    const std::lock_guard lock(mutex_);
    for (const Value* v : step.node->inputs)
      if (v && v->constant && v->constant->type().container == Container::tensor) read_ += v->constant->bytes();
    if (read_ > kResident) release();
  }

 private:
  static constexpr int64_t kResident = int64_t{128} << 20;
  const std::vector<std::shared_ptr<const MappedFile>>& files_;
  int64_t read_ = 0;
  std::mutex mutex_;
};

}  // namespace onecard
