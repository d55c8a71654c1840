#include "lib/base/error.h"

namespace onecard {

namespace {
std::vector<std::string>& scopes() {
  thread_local std::vector<std::string> open;
  return open;
}
}  // namespace

const char* kind_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::check_failed: return "check_failed";
    case ErrorKind::usage: return "usage";
    case ErrorKind::model: return "model";
    case ErrorKind::does_not_fit: return "does_not_fit";
    case ErrorKind::io: return "io";
    case ErrorKind::no_device: return "no_device";
    case ErrorKind::internal: return "internal";
  }
  return "internal";
}

Error::Error(ErrorKind k, const std::string& what_is_wrong, std::string where_it_is)
    : std::runtime_error(where_it_is.empty() ? what_is_wrong : where_it_is + ": " + what_is_wrong),
      kind(k),
      message(what_is_wrong),
      where(std::move(where_it_is)) {}

void raise(ErrorKind kind, const std::ostringstream& what_is_wrong) { throw Error(kind, what_is_wrong.str(), ErrorScope::text()); }

ErrorScope::ErrorScope(std::string what) { scopes().push_back(std::move(what)); }
ErrorScope::~ErrorScope() { scopes().pop_back(); }

std::string ErrorScope::text() {
  std::string joined;
  for (const auto& scope : scopes()) joined += (joined.empty() ? "" : ": ") + scope;
  return joined;
}

}  // namespace onecard
