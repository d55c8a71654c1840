#include "lib/ops/regular_expression.h"

#include <algorithm>
#include <string>
#include <utility>

#include "lib/base/error.h"

namespace onecard {

namespace {

constexpr int kMostStates = 100'000;
constexpr int kMostRepeats = 1000;                    // as RE2 has it
constexpr int kMostNesting = 200;
constexpr uint32_t kLastCode = 0x10ffff;
constexpr uint32_t kBadByte = 0x110000;

uint32_t lower(uint32_t c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }
uint32_t upper(uint32_t c) { return c >= 'a' && c <= 'z' ? c - 32 : c; }
bool is_word(uint32_t c) { return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || c == '_'; }
bool is_digit(uint32_t c) { return c >= '0' && c <= '9'; }

}  // namespace

std::vector<uint32_t> code_points(std::string_view text) {
  std::vector<uint32_t> codes;
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<uint8_t>(text[i]);
    const size_t length = byte < 0x80 ? 1 : byte >= 0xc2 && byte < 0xe0 ? 2 : byte >= 0xe0 && byte < 0xf0 ? 3 : byte >= 0xf0 && byte < 0xf5 ? 4 : 0;
    uint32_t code = length <= 1 ? byte : byte & (0xffu >> (length + 1));
    bool whole = length > 0 && i + length <= text.size();
    for (size_t k = 1; whole && k < length; ++k) {
      const auto next = static_cast<uint8_t>(text[i + k]);
      whole = (next & 0xc0) == 0x80;
      code = code << 6 | (next & 0x3f);
    }
    codes.push_back(whole ? code : kBadByte + byte);
    i += whole ? length : 1;
  }
  return codes;
}

// Compiles by descent; fragments are (start, list of open ends) patched when what follows is known.
class RegexCompiler {
 public:
  RegexCompiler(std::string_view pattern, RegularExpression& out) : text_(code_points(pattern)), out_(out) {}

  void run() {
    Fragment whole = alternatives();
    if (at_ < text_.size()) wrong("an unmatched ')'");
    const int accept = add(Kind::accept);
    patch(whole, accept);
    out_.start_ = whole.start;
  }

 private:
  using Kind = RegularExpression::Kind;
  using CodeRange = RegularExpression::CodeRange;
  struct Fragment {
    int start = -1;
    std::vector<std::pair<int, bool>> ends;           // state, whether its second way is open
  };

  [[noreturn]] void wrong(const std::string& what) const { fail(ErrorKind::model, "the regular expression has ", what, " at character ", at_); }
  bool more() const { return at_ < text_.size(); }
  uint32_t peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : 0; }
  bool accept(uint32_t c) {
    const bool found = more() && peek() == c;
    at_ += found;
    return found;
  }

  int add(Kind kind) {
    require(out_.states_.size() < kMostStates, ErrorKind::model, "the regular expression is too large");
    out_.states_.emplace_back();
    out_.states_.back().kind = kind;
    return static_cast<int>(out_.states_.size()) - 1;
  }
  Fragment single(Kind kind) {
    const int s = add(kind);
    return {s, {{s, false}}};
  }
  void patch(const Fragment& f, int to) {
    for (const auto& [state, second] : f.ends) (second ? out_.states_[static_cast<size_t>(state)].other : out_.states_[static_cast<size_t>(state)].next) = to;
  }
  Fragment joined(Fragment a, const Fragment& b) {
    patch(a, b.start);
    return {a.start, b.ends};
  }
  Fragment set_of(std::vector<CodeRange> ranges, bool negated) {
    Fragment f = single(Kind::set);
    auto& state = out_.states_[static_cast<size_t>(f.start)];
    state.ranges = std::move(ranges);
    state.negated = negated;
    state.any_case = any_case_;
    return f;
  }

  Fragment alternatives() {
    if (++depth_ > kMostNesting) wrong("too many nested groups");
    Fragment all = sequence();
    while (accept('|')) {
      const Fragment next = sequence();
      const int split = add(Kind::split);
      out_.states_[static_cast<size_t>(split)].next = all.start;
      out_.states_[static_cast<size_t>(split)].other = next.start;
      all.start = split;
      all.ends.insert(all.ends.end(), next.ends.begin(), next.ends.end());
    }
    --depth_;
    return all;
  }

  Fragment sequence() {
    Fragment all = single(Kind::jump);
    while (more() && peek() != '|' && peek() != ')') all = joined(std::move(all), repeated());
    return all;
  }

  // One piece with its repetition; a counted one is compiled as often as it may stand.
  Fragment repeated() {
    const size_t begin = at_;
    const bool any_case = any_case_, dot_all = dot_all_;
    Fragment piece = atom();
    for (bool first = true; more(); first = false) {
      int low = 0, high = -1;
      const size_t operator_at = at_;
      if (accept('*')) {
      } else if (accept('+')) low = 1;
      else if (accept('?')) high = 1;
      else if (!counted(low, high)) return piece;
      if (!first) {
        at_ = operator_at;
        wrong("a repetition of a repetition");
      }
      accept('?');                                    // which match is preferred makes no difference to whether there is one
      const size_t end = at_;
      const auto again = [&] {
        at_ = begin;
        any_case_ = any_case;
        dot_all_ = dot_all;
        return atom();
      };
      piece = repeat(piece, low, high, again);
      at_ = end;
    }
    return piece;
  }

  // {n}, {n,} or {n,m}; other braces are characters.
  bool counted(int& low, int& high) {
    size_t i = at_ + 1;
    const auto number = [&] {
      int n = -1;
      for (; i < text_.size() && is_digit(text_[i]); ++i) n = std::min(std::max(n, 0) * 10 + static_cast<int>(text_[i] - '0'), kMostRepeats + 1);
      return n;
    };
    if (peek() != '{') return false;
    low = high = number();
    if (low >= 0 && i < text_.size() && text_[i] == ',') {
      ++i;
      high = number();
    }
    if (low < 0 || i >= text_.size() || text_[i] != '}') return false;
    if (low > kMostRepeats || high > kMostRepeats || (high >= 0 && high < low)) wrong("a repetition that is out of bounds");
    at_ = i + 1;
    return true;
  }

  template <class Again>
  Fragment repeat(Fragment piece, int low, int high, Again&& again) {
    if (high == 0) return single(Kind::jump);
    Fragment all = single(Kind::jump);
    bool fresh = true;
    const auto next = [&] { return std::exchange(fresh, false) ? piece : again(); };
    for (int i = 0; i < low; ++i) all = joined(std::move(all), next());
    if (high < 0) {
      const Fragment body = next();
      const int split = add(Kind::split);
      out_.states_[static_cast<size_t>(split)].next = body.start;
      patch(body, split);
      return joined(std::move(all), {split, {{split, true}}});
    }
    std::vector<std::pair<int, bool>> exits;
    for (int i = low; i < high; ++i) {
      const Fragment body = next();
      const int split = add(Kind::split);
      out_.states_[static_cast<size_t>(split)].next = body.start;
      exits.push_back({split, true});
      all = joined(std::move(all), {split, body.ends});
    }
    all.ends.insert(all.ends.end(), exits.begin(), exits.end());
    return all;
  }

  Fragment atom() {
    const uint32_t c = peek();
    ++at_;
    switch (c) {
      case '(': return group();
      case '[': return bracket();
      case '.': return dot_all_ ? set_of({{0, UINT32_MAX}}, false) : set_of({{'\n', '\n'}}, true);
      case '^': return single(Kind::line_start);
      case '$': return single(Kind::line_end);
      case '\\': return escape();
      case '*': case '+': case '?': --at_; wrong("a repetition of nothing");
      default: return set_of({{c, c}}, false);
    }
  }

  Fragment group() {
    const bool any_case = any_case_, dot_all = dot_all_;
    if (accept('?')) {
      if (accept('P')) {}
      if (accept('<')) {                              // a name
        while (more() && peek() != '>') ++at_;
        if (!accept('>')) wrong("a group without the end of its name");
      } else {
        flags();
        if (accept(')')) return single(Kind::jump);   // they hold for what follows
        if (!accept(':')) wrong("a group of unknown kind");
      }
    }
    Fragment inner = alternatives();
    if (!accept(')')) wrong("an unmatched '('");
    any_case_ = any_case;
    dot_all_ = dot_all;
    return inner;
  }

  void flags() {
    bool on = true;
    for (; more() && peek() != ')' && peek() != ':'; ++at_) {
      if (peek() == '-') on = false;
      else if (peek() == 'i') any_case_ = on;
      else if (peek() == 's') dot_all_ = on;
      else if (peek() != 'U') wrong("a flag that is not supported");
    }
  }

  Fragment escape() {
    if (!more()) wrong("a '\\' at its end");
    const uint32_t c = peek();
    const auto anchor = [&](Kind kind) {
      ++at_;
      return single(kind);
    };
    if (c == 'b') return anchor(Kind::word_edge);
    if (c == 'B') return anchor(Kind::no_word_edge);
    if (c == 'A') return anchor(Kind::line_start);
    if (c == 'z') return anchor(Kind::line_end);
    std::vector<CodeRange> ranges;
    escaped_class(ranges);
    return set_of(std::move(ranges), false);
  }

  // What follows a '\' inside a class or out of it, as ranges.
  void escaped_class(std::vector<CodeRange>& ranges) {
    static const std::vector<CodeRange> kDigits{{'0', '9'}}, kSpaces{{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}, kWords{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    const uint32_t c = peek();
    const auto* named = lower(c) == 'd' ? &kDigits : lower(c) == 's' ? &kSpaces : lower(c) == 'w' ? &kWords : nullptr;
    if (!named) {
      const uint32_t code = escaped_code();
      ranges.push_back({code, code});
      return;
    }
    ++at_;
    if (c == lower(c)) ranges.insert(ranges.end(), named->begin(), named->end());
    else add_complement(ranges, *named);
  }

  static void add_complement(std::vector<CodeRange>& ranges, const std::vector<CodeRange>& of) {
    uint32_t from = 0;
    for (const CodeRange& r : of) {
      if (r.low > from) ranges.push_back({from, r.low - 1});
      from = r.high + 1;
    }
    ranges.push_back({from, UINT32_MAX});
  }

  uint32_t escaped_code() {
    if (!more()) wrong("a '\\' at its end");
    const uint32_t c = text_[at_++];
    switch (c) {
      case 'n': return '\n';
      case 't': return '\t';
      case 'r': return '\r';
      case 'f': return '\f';
      case 'v': return '\v';
      case 'a': return '\a';
      case 'x': return hex_code();
      default: break;
    }
    if (is_word(c) && c != '_') wrong("an escape that is not supported");
    return c;
  }

  uint32_t hex_code() {
    const bool braces = accept('{');
    uint32_t code = 0;
    int digits = 0;
    for (; more() && (braces ? digits < 8 : digits < 2); ++digits, ++at_) {
      const uint32_t d = lower(peek());
      if (is_digit(d)) code = code * 16 + (d - '0');
      else if (d >= 'a' && d <= 'f') code = code * 16 + (d - 'a' + 10);
      else break;
    }
    if (digits == 0 || code > kLastCode || (braces && !accept('}'))) wrong("a code that is no character");
    return code;
  }

  Fragment bracket() {
    const bool negated = accept('^');
    std::vector<CodeRange> ranges;
    for (bool first = true; first || peek() != ']'; first = false) {
      if (!more()) wrong("an unmatched '['");
      if (peek() == '[' && peek(1) == ':') {
        posix_class(ranges);
        continue;
      }
      const size_t before = ranges.size();
      if (accept('\\')) escaped_class(ranges);
      else {
        ranges.push_back({peek(), peek()});
        ++at_;
      }
      const bool one = ranges.size() == before + 1 && ranges.back().low == ranges.back().high;
      if (!one || peek() != '-' || peek(1) == ']' || at_ + 1 >= text_.size()) continue;
      ++at_;
      uint32_t high = peek();
      ++at_;
      if (high == '\\') high = escaped_code();
      if (high < ranges.back().low) wrong("a range that ends before it begins");
      ranges.back().high = high;
    }
    ++at_;
    return set_of(std::move(ranges), negated);
  }

  void posix_class(std::vector<CodeRange>& ranges) {
    static const std::pair<std::string_view, std::vector<CodeRange>> kClasses[] = {
        {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}}, {"alpha", {{'A', 'Z'}, {'a', 'z'}}}, {"digit", {{'0', '9'}}}, {"lower", {{'a', 'z'}}},
        {"upper", {{'A', 'Z'}}}, {"space", {{'\t', '\r'}, {' ', ' '}}}, {"blank", {{'\t', '\t'}, {' ', ' '}}}, {"word", {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
        {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}}, {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}}};
    std::string name;
    for (at_ += 2; more() && peek() < 128 && peek() != ':'; ++at_) name += static_cast<char>(peek());
    const bool negated = !name.empty() && name[0] == '^';
    for (const auto& [known, of] : kClasses) {
      if (known != std::string_view(name).substr(negated)) continue;
      at_ += 2;                                       // ":]"; checked below by what follows
      if (at_ > text_.size() || text_[at_ - 1] != ']') wrong("a class without an end");
      if (negated) add_complement(ranges, of);
      else ranges.insert(ranges.end(), of.begin(), of.end());
      return;
    }
    wrong("a class that is not known");
  }

  std::vector<uint32_t> text_;
  RegularExpression& out_;
  size_t at_ = 0;
  int depth_ = 0;
  bool any_case_ = false, dot_all_ = false;
};

RegularExpression::RegularExpression(std::string_view pattern) { RegexCompiler(pattern, *this).run(); }

bool RegularExpression::holds(const State& state, uint32_t code) const {
  const auto in = [&](uint32_t c) { return std::any_of(state.ranges.begin(), state.ranges.end(), [&](const CodeRange& r) { return c >= r.low && c <= r.high; }); };
  const bool found = in(code) || (state.any_case && (in(lower(code)) || in(upper(code))));
  return found != state.negated;
}

// Adds a state and all that are reached from it without reading, each once per position.
void RegularExpression::enter(int state, const std::vector<uint32_t>& text, size_t at, std::vector<int>& active, std::vector<uint32_t>& seen, uint32_t mark) const {
  const bool before = at > 0 && is_word(text[at - 1]), after = at < text.size() && is_word(text[at]);
  std::vector<int> open{state};
  while (!open.empty()) {
    const auto i = static_cast<size_t>(open.back());
    open.pop_back();
    if (seen[i] == mark) continue;
    seen[i] = mark;
    const State& s = states_[i];
    const bool passes = s.kind == Kind::split || s.kind == Kind::jump || (s.kind == Kind::line_start && at == 0) || (s.kind == Kind::line_end && at == text.size()) ||
                        (s.kind == Kind::word_edge && before != after) || (s.kind == Kind::no_word_edge && before == after);
    if (passes) open.push_back(s.next);
    if (s.kind == Kind::split) open.push_back(s.other);
    if (s.kind == Kind::set || s.kind == Kind::accept) active.push_back(static_cast<int>(i));
  }
}

bool RegularExpression::matches(std::string_view bytes) const {
  const auto text = code_points(bytes);
  std::vector<int> active, next;
  std::vector<uint32_t> seen(states_.size(), 0);
  uint32_t mark = 1;
  enter(start_, text, 0, active, seen, mark);
  for (size_t at = 0; at < text.size() && !active.empty(); ++at) {
    next.clear();
    if (++mark == 0) {
      std::fill(seen.begin(), seen.end(), 0);
      mark = 1;
    }
    for (const int i : active) {
      const State& s = states_[static_cast<size_t>(i)];
      if (s.kind == Kind::set && holds(s, text[at])) enter(s.next, text, at + 1, next, seen, mark);
    }
    std::swap(active, next);
  }
  return std::any_of(active.begin(), active.end(), [&](int i) { return states_[static_cast<size_t>(i)].kind == Kind::accept; });
}

}  // namespace onecard
