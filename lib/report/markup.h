#pragma once
#include <string>
#include <string_view>

namespace onecard {

// Text with the characters that HTML and XML reserve written as entities; control characters become spaces.
std::string escape_markup(std::string_view text);

}  // namespace onecard
