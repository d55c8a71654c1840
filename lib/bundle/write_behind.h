#pragma once
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <thread>

#include "lib/base/file.h"
#include "lib/bundle/encodings.h"

namespace onecard {

// Writes to a file and sums the bytes on a thread of its own, in the order in which they come, so that what follows is encoded meanwhile.
class WriteBehind {
 public:
  explicit WriteBehind(AtomicFile& file);
  ~WriteBehind();  // what has not been written by then is not
  WriteBehind(const WriteBehind&) = delete;
  WriteBehind& operator=(const WriteBehind&) = delete;
  // `owner` keeps the bytes. Waits while more than 16 MiB are on their way; raises what writing earlier ones raised.
  void write(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);
  // Waits until nothing is on its way.
  void drain();
  // Waits for all of them and gives their checksum.
  uint64_t finish();

 private:
  struct Item {
    std::span<const std::byte> bytes;
    std::shared_ptr<const void> owner;
  };
  void work();

  AtomicFile& file_;
  Checksum sum_;
  std::mutex mutex_;  // of what follows
  std::condition_variable changed_;
  std::deque<Item> waiting_;
  size_t waiting_bytes_ = 0;  // what is being written counts
  bool closed_ = false, stopped_ = false;
  std::exception_ptr raised_;
  std::thread thread_;
};

}  // namespace onecard
