#pragma once
#include <cstdint>
#include <functional>

namespace onecard {

// Fixes the number of worker threads for the whole process; called once, before any work. 0: every core this process may use.
void set_threads(int count);
int thread_count();

// Calls body(begin, end) over disjoint pieces that cover [0, count), on the shared threads; pieces hold at least `grain` items.
// An exception of a piece is raised again here. Nested calls run on the calling thread.
void parallel_for(int64_t count, int64_t grain, const std::function<void(int64_t begin, int64_t end)>& body);

}  // namespace onecard
