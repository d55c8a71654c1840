#include "lib/ir/dim.h"

#include <algorithm>
#include <cctype>
#include <ostream>
#include <set>

#include "lib/base/error.h"

namespace onecard {

namespace {

constexpr size_t kMaxTerms = 64;           // a larger polynomial becomes unknown: no useful answer comes of it
constexpr size_t kMaxFactors = 32;         // of one term: squaring again and again doubles them
constexpr int kMaxDepth = 32;              // of nested floor-divisions in text
constexpr size_t kMaxDivisionText = 1024;  // of one floor-division, which is kept as text

int64_t floor_divide(int64_t a, int64_t b) { return a / b - ((a % b != 0) && ((a < 0) != (b < 0))); }

// Splits "floordiv(a,b)" into its two arguments.
std::pair<std::string_view, std::string_view> division_parts(std::string_view atom) {
  atom.remove_prefix(std::string_view("floordiv(").size());
  atom.remove_suffix(1);
  int depth = 0;
  for (size_t i = 0; i < atom.size(); ++i) {
    depth += atom[i] == '(' ? 1 : atom[i] == ')' ? -1 : 0;
    if (depth == 0 && atom[i] == ',') return {atom.substr(0, i), atom.substr(i + 1)};
  }
  return {atom, "1"};
}
bool is_division(std::string_view atom) { return atom.starts_with("floordiv("); }

// sum := product (('+'|'-') product)*, product := factor ('*' factor)*, factor := number | symbol | floordiv(sum,sum) | '(' sum ')'
class DimParser {
 public:
  explicit DimParser(std::string_view text) : text_(text) {}
  Dim whole() {
    Dim d = sum();
    if (at_ != text_.size()) error();
    return d;
  }

 private:
  [[noreturn]] void error() const { fail(ErrorKind::model, "'", text_.substr(0, 80), "' is no extent"); }
  char peek() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) { return peek() == c && ++at_; }
  Dim sum() {
    if (++depth_ > kMaxDepth) error();
    Dim d = accept('-') ? Dim(0) - product() : product();
    for (;;) {
      if (accept('+')) d = d + product();
      else if (accept('-')) d = d - product();
      else break;
    }
    --depth_;
    return d;
  }
  Dim product() {
    Dim d = factor();
    while (accept('*')) d = d * factor();
    return d;
  }
  Dim factor() {
    const char c = peek();
    if (accept('(')) {
      Dim d = sum();
      if (!accept(')')) error();
      return d;
    }
    if (accept('?')) return Dim::unknown();
    size_t end = at_;
    if (std::isdigit(static_cast<unsigned char>(c))) {
      int64_t n = 0;
      for (; end < text_.size() && std::isdigit(static_cast<unsigned char>(text_[end])); ++end)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, text_[end] - '0', &n)) error();
      at_ = end;
      return n;
    }
    while (end < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[end])) || text_[end] == '_' || text_[end] == '.')) ++end;
    if (end == at_) error();
    const std::string name(text_.substr(at_, end - at_));
    at_ = end;
    if (name != "floordiv") return Dim::symbol(name);
    if (!accept('(')) error();
    const Dim a = sum();
    if (!accept(',')) error();
    const Dim b = sum();
    if (!accept(')')) error();
    return a / b;
  }
  std::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

std::string symbol_name(std::string_view text) {
  std::string name(text);
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '.') c = '_';
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0])) || name[0] == '.') name = "_" + name;
  if (name == "floordiv") name = "_floordiv";
  return name;
}

Dim Dim::unknown() {
  Dim d;
  d.unknown_ = true;
  return d;
}
Dim Dim::symbol(const std::string& name) { return from({{{symbol_name(name)}, 1}}); }
Dim Dim::parse(std::string_view text) { return DimParser(text).whole(); }

int64_t Dim::number() const {
  require(is_number(), ErrorKind::internal, "extent ", text(), " is not a number");
  return number_;
}

Dim Dim::from(Polynomial p) {
  std::erase_if(p, [](const auto& term) { return term.second == 0; });
  if (p.empty()) return 0;
  if (p.size() == 1 && p.begin()->first.empty()) return p.begin()->second;
  if (p.size() > kMaxTerms) return unknown();
  Dim d;
  d.poly_ = std::make_shared<const Polynomial>(std::move(p));
  return d;
}
Dim::Polynomial Dim::polynomial() const {
  if (poly_) return *poly_;
  if (number_ == 0) return {};
  return {{{}, number_}};
}

bool operator==(const Dim& a, const Dim& b) {
  if (a.unknown_ != b.unknown_) return false;
  if (a.poly_ && b.poly_) return *a.poly_ == *b.poly_;
  return !a.poly_ && !b.poly_ && a.number_ == b.number_;
}

namespace {

// An opaque floor-division as text, or "" where it would grow without bound or be nested too deeply to be read again.
std::string division_atom(const Dim& a, const Dim& b) {
  std::string atom = "floordiv(" + a.text() + "," + b.text() + ")";
  int depth = 0, deepest = 0;
  for (const char c : atom) {
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    deepest = std::max(deepest, depth);
  }
  return atom.size() > kMaxDivisionText || deepest >= kMaxDepth ? "" : atom;
}

}  // namespace

Dim operator+(const Dim& a, const Dim& b) {
  if (a.unknown_ || b.unknown_) return Dim::unknown();
  if (int64_t sum = 0; a.is_number() && b.is_number()) return __builtin_add_overflow(a.number_, b.number_, &sum) ? Dim::unknown() : Dim(sum);
  Dim::Polynomial p = a.polynomial();
  for (const auto& [monomial, c] : b.polynomial())
    if (int64_t& mine = p[monomial]; __builtin_add_overflow(mine, c, &mine)) return Dim::unknown();
  return Dim::from(std::move(p));
}

Dim operator-(const Dim& a, const Dim& b) { return a + b * Dim(-1); }

Dim operator*(const Dim& a, const Dim& b) {
  if (a.is_number() && a.number_ == 0) return 0;
  if (b.is_number() && b.number_ == 0) return 0;
  if (a.unknown_ || b.unknown_) return Dim::unknown();
  if (int64_t product = 0; a.is_number() && b.is_number())
    return __builtin_mul_overflow(a.number_, b.number_, &product) ? Dim::unknown() : Dim(product);
  Dim::Polynomial p;
  const Dim::Polynomial left = a.polynomial(), right = b.polynomial();
  for (const auto& [m, c] : left)
    for (const auto& [n, d] : right) {
      if (m.size() + n.size() > kMaxFactors) return Dim::unknown();
      Dim::Monomial both = m;
      both.insert(both.end(), n.begin(), n.end());
      std::sort(both.begin(), both.end());
      int64_t product = 0, &mine = p[both];
      if (__builtin_mul_overflow(c, d, &product) || __builtin_add_overflow(mine, product, &mine)) return Dim::unknown();
      if (p.size() > kMaxTerms) return Dim::unknown();
    }
  return Dim::from(std::move(p));
}

// Exact where it can be: a term-wise division by a number or by one monomial; else an opaque floordiv(...) that binding evaluates.
Dim operator/(const Dim& a, const Dim& b) {
  if (a.unknown_ || b.unknown_) return Dim::unknown();
  if (b.is_number() && b.number_ == 0) return Dim::unknown();
  if (b.is_number() && b.number_ == -1) return a * b;  // the machine's division traps on the smallest number
  if (a.is_number() && b.is_number()) return floor_divide(a.number_, b.number_);
  if (a == b) return 1;
  const Dim::Polynomial divisor = b.polynomial();
  if (divisor.size() == 1) {
    const auto& [factors, coefficient] = *divisor.begin();
    Dim::Polynomial quotient, rest;
    for (const auto& [m, c] : a.polynomial()) {
      Dim::Monomial left = m;
      if (coefficient == -1 && c == INT64_MIN) return Dim::unknown();  // the quotient does not fit
      bool whole = c % coefficient == 0;
      for (const auto& f : factors) {
        const auto at = std::find(left.begin(), left.end(), f);
        if (at == left.end()) {
          whole = false;
          break;
        }
        left.erase(at);
      }
      (whole ? quotient[left] : rest[m]) += whole ? c / coefficient : c;
    }
    if (rest.empty()) return Dim::from(std::move(quotient));
    // floor(q + r / d) = q + floor(r / d) for whole q
    const Dim r = Dim::from(std::move(rest)), q = Dim::from(std::move(quotient));
    if (r.is_number() && b.is_number()) return q + Dim(floor_divide(r.number_, b.number_));
    const std::string atom = division_atom(r, b);
    return atom.empty() ? Dim::unknown() : q + Dim::from({{{atom}, 1}});
  }
  const std::string atom = division_atom(a, b);
  return atom.empty() ? Dim::unknown() : Dim::from({{{atom}, 1}});
}

Dim ceil_div(const Dim& a, const Dim& b) { return (a + b - Dim(1)) / b; }

Dim Dim::bind(const SymbolValues& values) const {
  if (!poly_) return *this;
  Dim sum = 0;
  for (const auto& [monomial, c] : *poly_) {
    Dim product = c;
    for (const auto& atom : monomial) {
      if (is_division(atom)) {
        const auto [above, below] = division_parts(atom);
        product = product * (Dim::parse(above).bind(values) / Dim::parse(below).bind(values));
      } else {
        const auto it = values.find(atom);
        product = product * (it == values.end() ? Dim::symbol(atom) : Dim(it->second));
      }
    }
    sum = sum + product;
  }
  return sum;
}

std::vector<std::string> Dim::symbols() const {
  std::set<std::string> found;
  if (poly_)
    for (const auto& [monomial, c] : *poly_)
      for (const auto& atom : monomial) {
        if (!is_division(atom)) {
          found.insert(atom);
          continue;
        }
        const auto [above, below] = division_parts(atom);
        for (auto part : {above, below})
          for (auto& s : Dim::parse(part).symbols()) found.insert(s);
      }
  return {found.begin(), found.end()};
}

std::string Dim::text() const {
  if (unknown_) return "?";
  if (!poly_) return std::to_string(number_);
  std::string out, constant;
  for (const auto& [monomial, c] : *poly_) {
    if (monomial.empty()) {
      constant = (c > 0 ? "+" : "") + std::to_string(c);
      continue;
    }
    std::string term = c == 1 ? "" : c == -1 ? "-" : std::to_string(c) + "*";
    for (size_t i = 0; i < monomial.size(); ++i) term += (i ? "*" : "") + monomial[i];
    out += (out.empty() || term[0] == '-' ? "" : "+") + term;
  }
  return out + constant;
}

std::ostream& operator<<(std::ostream& out, const Dim& d) { return out << d.text(); }

}  // namespace onecard
