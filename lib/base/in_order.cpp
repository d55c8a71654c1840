#include "lib/base/in_order.h"

#include <omp.h>

#include <exception>

namespace onecard {

void on_single_threads(int count, const std::function<void(int i)>& body) {
  std::exception_ptr raised;
#pragma omp parallel num_threads(count)
  {
    omp_set_num_threads(1);  // of this thread inside this region alone
    const int team = omp_get_num_threads();
    try {
      for (int i = omp_get_thread_num(); i < count; i += team) body(i);
    } catch (...) {
#pragma omp critical(onecard_on_single_threads)
      if (!raised) raised = std::current_exception();
    }
  }
  if (raised) std::rethrow_exception(raised);
}

}  // namespace onecard
