#pragma once
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>

#include "lib/ir/graph.h"

namespace onecard {

// How constants appear in text: shape only, their elements, or a number that stands for them elsewhere (a bundle's weights).
enum class ConstantText { shape_only, elements, reference };
using ConstantNumber = std::function<int64_t(const ConstTensor&)>;

// The graph as text; parse_graph is the inverse. With `reference`, `number` gives each constant its number.
std::string to_text(const Graph& graph, ConstantText constants = ConstantText::shape_only, const ConstantNumber& number = nullptr);
void print_graph(std::ostream& out, const Graph& graph, ConstantText constants, const ConstantNumber& number, int indent);

using MakeOp = std::function<std::unique_ptr<Op>(std::string_view name)>;
using ConstantAt = std::function<ConstTensor(int64_t number, const TensorType&)>;
struct ParseOptions {
  MakeOp make_op;                                     // raises model for an unknown name
  ConstantAt constant_at;                             // for `constant #k`; null: such text is refused
};
// Raises model with line number. `= constant` without data is filled from a seed (tests).
Graph parse_graph(std::string_view text, const ParseOptions& options);

// Reads tokens of the text form; raises model naming the line.
class TextReader {
 public:
  TextReader(std::string_view text, const ParseOptions& options) : text_(text), options_(options) {}
  char peek();                                        // next character that is no space or comment, 0 at the end
  bool accept(char c);
  bool accept_word(std::string_view word);
  void expect(char c);
  std::string word();                                 // [A-Za-z0-9_.+-/]+ as names need
  std::string quoted();
  std::string name();                                 // a value's name: bare or quoted
  std::string until(std::string_view stops);          // raw text up to one of the characters, brackets balanced
  double number();
  int64_t integer();
  [[noreturn]] void error(const std::string& what);
  const ParseOptions& options() const { return options_; }
  Graph graph();
  TensorType type();
  size_t remaining() const { return text_.size() - at_; }
  int depth = 0;                                      // of nested graphs; bounded, text may be hostile

 private:
  std::string_view text_;
  size_t at_ = 0;
  const ParseOptions& options_;
  uint32_t seed_ = 1;
};

}  // namespace onecard
