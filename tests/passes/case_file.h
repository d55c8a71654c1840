#pragma once
#include <string>
#include <vector>

#include "passes/pass.h"

namespace onecard {

// One case of a pass's text file:
//   # case: what it shows
//   # context: weights=int8 activations=int8 prune=0.5 scope=global range=x:-1:1 skip=y fold_limit=16    (optional)
//   # lossy      numbers may change                                                                      (optional)
//   # exact      the constants of the result are those of the text                                       (optional)
//   graph ... 
//   # becomes, followed by a graph; or # unchanged
struct PassCase {
  std::string pass, name, before, after;              // after is empty: the pass must change nothing
  PassContext context;
  bool lossy = false, exact = false;
};

// The cases of `folder`/<pass>.ir; raises model for a line that is not understood.
std::vector<PassCase> read_cases(const std::string& folder, const std::string& pass);

}  // namespace onecard
