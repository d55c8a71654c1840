#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace onecard {

// The flags and arguments of one command. The parser's library is known to flags.cpp and program.cpp alone: its header costs seconds in every file.
class Flags {
 public:
  explicit Flags(CLI::App& app) : app_(app) {}
  // `--name` or `-n,--name` with a value, or an argument where the name has no dash. What is typed must be of `into`'s type: a text, int, int64_t,
  // double, or an optional of double or uint64_t. Raises usage while parsing.
  template <class T>
  void add_option(const std::string& names, T& into, const std::string& help);
  // A text without which there is no command line; one of `words`; a number from `least` to `most`; one from 0 on (int64_t or double).
  void add_required(const std::string& names, std::string& into, const std::string& help);
  void add_choice(const std::string& names, std::string& into, const std::vector<std::string>& words, const std::string& help);
  void add_within(const std::string& names, int& into, int least, int most, const std::string& help);
  template <class T>
  void add_not_negative(const std::string& names, T& into, const std::string& help);
  // No value: true when given.
  void add_flag(const std::string& name, bool& into, const std::string& help);
  // May be given several times, with one value each time.
  void add_list(const std::string& name, std::vector<std::string>& into, const std::string& help);
  // What --help ends with.
  void footer(const std::string& text);

 private:
  CLI::App& app_;
};

}  // namespace onecard
