#include "tools/flags.h"

#include <CLI/CLI.hpp>

namespace onecard {

template <class T>
void Flags::add_option(const std::string& names, T& into, const std::string& help) {
  app_.add_option(names, into, help);
}
template void Flags::add_option(const std::string&, std::string&, const std::string&);
template void Flags::add_option(const std::string&, int&, const std::string&);
template void Flags::add_option(const std::string&, int64_t&, const std::string&);
template void Flags::add_option(const std::string&, double&, const std::string&);
template void Flags::add_option(const std::string&, std::optional<double>&, const std::string&);
template void Flags::add_option(const std::string&, std::optional<uint64_t>&, const std::string&);

void Flags::add_required(const std::string& names, std::string& into, const std::string& help) { app_.add_option(names, into, help)->required(); }

void Flags::add_choice(const std::string& names, std::string& into, const std::vector<std::string>& words, const std::string& help) {
  app_.add_option(names, into, help)->check(CLI::IsMember(words));
}

void Flags::add_within(const std::string& names, int& into, int least, int most, const std::string& help) {
  app_.add_option(names, into, help)->check(CLI::Range(least, most));
}

template <class T>
void Flags::add_not_negative(const std::string& names, T& into, const std::string& help) {
  app_.add_option(names, into, help)->check(CLI::NonNegativeNumber);
}
template void Flags::add_not_negative(const std::string&, int64_t&, const std::string&);
template void Flags::add_not_negative(const std::string&, double&, const std::string&);

void Flags::add_flag(const std::string& name, bool& into, const std::string& help) { app_.add_flag(name, into, help); }

void Flags::add_list(const std::string& name, std::vector<std::string>& into, const std::string& help) {
  app_.add_option(name, into, help)->allow_extra_args(false);
}

void Flags::footer(const std::string& text) { app_.footer(text); }

}  // namespace onecard
