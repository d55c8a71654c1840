#pragma once
#include <cstdint>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace onecard {

// Sizes of the symbols of a graph.
using SymbolValues = std::map<std::string, int64_t>;

// A number, an expression over named symbols, or unknown. Arithmetic is exact: an expression is a polynomial with integer
// coefficients over symbols and floor-divisions, in one normal form, so equal sums compare equal. Overflow gives unknown.
class Dim {
 public:
  Dim(int64_t number = 0) : number_(number) {}
  static Dim unknown();
  static Dim symbol(const std::string& name);  // characters outside [A-Za-z0-9_.] become '_'
  static Dim parse(std::string_view text);     // inverse of text(); raises model

  bool is_number() const { return !poly_ && !unknown_; }
  bool is_unknown() const { return unknown_; }
  bool is_symbolic() const { return poly_ != nullptr; }
  int64_t number() const;  // raises internal unless is_number()
  std::optional<int64_t> maybe() const { return is_number() ? std::optional(number_) : std::nullopt; }
  // The dimension with symbols replaced by their values; symbols not named stay.
  Dim bind(const SymbolValues& values) const;
  std::vector<std::string> symbols() const;
  std::string text() const;  // "3", "batch", "2*seq+1", "floordiv(h+1,2)", "?"

  friend Dim operator+(const Dim& a, const Dim& b);
  friend Dim operator-(const Dim& a, const Dim& b);
  friend Dim operator*(const Dim& a, const Dim& b);
  friend Dim operator/(const Dim& a, const Dim& b);  // floor division
  // Structural equality; unknown equals unknown (as data), which says nothing of the sizes: see same_size.
  friend bool operator==(const Dim& a, const Dim& b);

 private:
  using Monomial = std::vector<std::string>;       // sorted factors
  using Polynomial = std::map<Monomial, int64_t>;  // no zero coefficients
  static Dim from(Polynomial p);
  Polynomial polynomial() const;
  int64_t number_ = 0;
  bool unknown_ = false;
  std::shared_ptr<const Polynomial> poly_;
};
std::ostream& operator<<(std::ostream& out, const Dim& d);  // its text: made only when an error is, among its parts

// True only when both are surely the same size.
inline bool same_size(const Dim& a, const Dim& b) { return !a.is_unknown() && a == b; }
Dim ceil_div(const Dim& a, const Dim& b);
// A legal symbol made from any text, as Dim::symbol does.
std::string symbol_name(std::string_view text);

}  // namespace onecard
