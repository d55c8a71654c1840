#include "lib/onnx/schema_table.h"

#include <cstdlib>
#include <iterator>
#include <string_view>

#include "lib/base/error.h"

namespace onecard {

namespace {

using onnx::OpSchema;

constexpr char kTable[] =
#include "schema_table.inc"
    ;

constexpr const char* kAnyType = "tensor(float)";  // a schema must name one; nobody looks

// Takes `text` up to `end` off its front.
std::string_view take(std::string_view& text, char end) {
  const size_t at = text.find(end);
  require(at != std::string_view::npos, ErrorKind::internal, "the table of schemas is damaged");
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(at + 1);
  return part;
}

int number(std::string_view text) { return std::atoi(std::string(text).c_str()); }

template <class Add>
void each_parameter(std::string_view text, Add add) {
  for (int n = 0; !text.empty(); ++n) {
    const char kind = text.front();
    text.remove_prefix(1);
    size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
    const bool variadic = kind == 'v' || kind == 'V';
    add(n,
        variadic      ? OpSchema::Variadic
        : kind == 'o' ? OpSchema::Optional
                      : OpSchema::Single,
        kind != 'V', digits ? number(text.substr(0, digits)) : 1);
    text.remove_prefix(digits);
  }
}

// The rest of a line, after the name.
std::unique_ptr<OpSchema> schema_of(const std::string& domain, const std::string& name, std::string_view line) {
  auto schema = std::make_unique<OpSchema>(name, "", 0);
  schema->SetDomain(domain);
  schema->SinceVersion(number(take(line, '|')));
  if (take(line, '|') == "1") schema->Deprecate();
  each_parameter(take(line, '|'),
                 [&](int n, auto option, bool same, int least) { schema->Input(n, "in" + std::to_string(n), "", kAnyType, option, same, least); });
  each_parameter(take(line, '|'),
                 [&](int n, auto option, bool same, int least) { schema->Output(n, "out" + std::to_string(n), "", kAnyType, option, same, least); });
  while (!line.empty()) {
    std::string_view attribute = take(line, ',');
    const std::string key(take(attribute, ':'));
    const bool required = attribute.ends_with('!');
    schema->Attr(key, "", static_cast<onnx::AttributeProto::AttributeType>(number(attribute)), required);
  }
  schema->Finalize();
  return schema;
}

}  // namespace

const OpSchema* SchemaTable::GetSchema(const std::string& key, int maxInclusiveVersion, const std::string& domain) const {
  const std::string wanted = domain == "ai.onnx" ? "" : domain;
  auto& versions = made_[{wanted, key}];
  if (versions.empty()) {
    const std::string start = "\n" + wanted + "|" + key + "|";
    const std::string_view table(kTable);
    for (size_t at = table.find(start); at != std::string_view::npos; at = table.find(start, at + 1)) {
      std::string_view line = table.substr(at + start.size());
      auto schema = schema_of(wanted, key, take(line, '\n'));
      const int since = schema->SinceVersion();
      versions[since] = std::move(schema);
    }
  }
  const auto after = versions.upper_bound(maxInclusiveVersion);
  return after == versions.begin() ? nullptr : std::prev(after)->second.get();
}

}  // namespace onecard
