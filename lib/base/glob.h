#pragma once
#include <string_view>

namespace onecard {

// Whether the whole text fits the glob: '*' stands for any characters, none and '/' too, '?' for one; everything else for itself.
bool matches_glob(std::string_view glob, std::string_view text);

}  // namespace onecard
