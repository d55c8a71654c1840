#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace onecard {

// A regular expression in RE2's syntax over UTF-8: alternatives, groups, repetitions, classes, ^ $ \A \z \b \B and the flags i and s. It is run
// as a set of states, so that a match takes time in proportion to pattern times text, whatever they are.
class RegularExpression {
 public:
  // Raises model on what is no such expression or takes too many states.
  explicit RegularExpression(std::string_view pattern);
  // Whether the whole text matches.
  bool matches(std::string_view text) const;

 private:
  friend class RegexCompiler;
  struct CodeRange {
    uint32_t low = 0, high = 0;
  };
  enum class Kind : uint8_t { set, split, jump, line_start, line_end, word_edge, no_word_edge, accept };
  struct State {
    Kind kind = Kind::accept;
    int next = -1, other = -1;                        // other: the second way of a split
    std::vector<CodeRange> ranges;                    // of a set
    bool negated = false, any_case = false;
  };
  bool holds(const State& state, uint32_t code) const;
  void enter(int state, const std::vector<uint32_t>& text, size_t at, std::vector<int>& active, std::vector<uint32_t>& seen, uint32_t mark) const;
  std::vector<State> states_;
  int start_ = 0;
};

// The code points of UTF-8 text; a byte that begins none stands for itself, above all code points.
std::vector<uint32_t> code_points(std::string_view text);

}  // namespace onecard
