#include "lib/base/parallel.h"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <exception>

namespace onecard {

void set_threads(int count) {
  if (count <= 0) {
    cpu_set_t mine;
    count = sched_getaffinity(0, sizeof mine, &mine) == 0 ? CPU_COUNT(&mine) : 1;
  }
  omp_set_dynamic(0);
  omp_set_num_threads(count);
}

int thread_count() { return omp_get_max_threads(); }

// OpenMP because oneDNN's threads are OpenMP's: a second pool would compete with them for the cores.
void parallel_for(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& body) {
  if (count <= 0) return;
  const int64_t pieces = std::min<int64_t>(thread_count(), count / std::max<int64_t>(grain, 1));
  if (pieces <= 1 || omp_in_parallel()) return body(0, count);
  std::exception_ptr raised;
#pragma omp parallel num_threads(static_cast<int>(pieces))
  {
    const int64_t me = omp_get_thread_num(), team = omp_get_num_threads();
    try {
      const int64_t begin = count * me / team, end = count * (me + 1) / team;
      if (begin < end) body(begin, end);
    } catch (...) {
#pragma omp critical(onecard_parallel_for)
      if (!raised) raised = std::current_exception();
    }
  }
  if (raised) std::rethrow_exception(raised);
}

}  // namespace onecard
