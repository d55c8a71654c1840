#include "lib/bundle/write_behind.h"

namespace onecard {

namespace {
constexpr size_t kMostWaiting = size_t{16} << 20;
}  // namespace

WriteBehind::WriteBehind(AtomicFile& file) : file_(file), thread_([this] { work(); }) {}

WriteBehind::~WriteBehind() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = stopped_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void WriteBehind::write(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  if (bytes.empty()) return;
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return raised_ || waiting_bytes_ <= kMostWaiting; });
  if (raised_) std::rethrow_exception(raised_);
  waiting_.push_back({bytes, std::move(owner)});
  waiting_bytes_ += bytes.size();
  changed_.notify_all();
}

void WriteBehind::drain() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return raised_ || waiting_bytes_ == 0; });
  if (raised_) std::rethrow_exception(raised_);
}

uint64_t WriteBehind::finish() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  thread_.join();
  if (raised_) std::rethrow_exception(raised_);
  return sum_.value();
}

void WriteBehind::work() {
  for (std::unique_lock lock(mutex_);;) {
    changed_.wait(lock, [&] { return closed_ || !waiting_.empty(); });
    if (waiting_.empty() || stopped_) return;
    Item item = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    std::exception_ptr raised;
    try {
      file_.write(item.bytes);
      sum_.add(item.bytes);
    } catch (...) { raised = std::current_exception(); }
    item.owner.reset();
    lock.lock();
    waiting_bytes_ -= item.bytes.size();
    raised_ = raised;
    changed_.notify_all();
    if (raised_) return;
  }
}

}  // namespace onecard
