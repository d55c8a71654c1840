#include "tests/passes/case_file.h"

#include <filesystem>
#include <sstream>

#include "lib/base/file.h"

namespace onecard {

namespace {

ValueRange parse_range(const std::string& text, std::string& name) {
  const size_t first = text.find(':'), second = text.find(':', first + 1);
  require(second != std::string::npos, ErrorKind::model, "a range is name:min:max, not '", text, "'");
  name = text.substr(0, first);
  return {std::stof(text.substr(first + 1)), std::stof(text.substr(second + 1))};
}

std::vector<float> parse_numbers(const std::string& text) {
  std::vector<float> numbers;
  std::istringstream words(text);
  for (std::string word; std::getline(words, word, ',');) numbers.push_back(std::stof(word));
  return numbers;
}

// "name:extents:numbers" of a weight, extents as 2x3; "name:numbers" of a bias; "name:scale:divisors" of an input's integers.
void parse_found(PassContext& context, const std::string& key, const std::string& text) {
  const size_t first = text.find(':'), second = text.find(':', first + 1);
  FoundLayer& layer = context.found[text.substr(0, first)];
  const std::vector<float> numbers = parse_numbers(text.substr((second == std::string::npos ? first : second) + 1));
  if (key == "found_bias") {
    layer.bias = std::make_shared<const Tensor>(Tensor::of<float>({static_cast<int64_t>(numbers.size())}, numbers));
  } else if (key == "found_weight") {
    Dims dims;
    std::istringstream extents(text.substr(first + 1, second - first - 1));
    for (std::string extent; std::getline(extents, extent, 'x');) dims.push_back(std::stoll(extent));
    layer.weight = std::make_shared<const Tensor>(Tensor::of<float>(dims, numbers));
  } else {
    layer.input = SiteQuantization{DType::i8, std::stof(text.substr(first + 1)), numbers};
  }
}

void parse_prune(PruneOptions& prune, const std::string& text) {
  prune.amount = text == "2:4" ? 0.5 : std::stod(text);
  if (text == "2:4") prune.pattern = PrunePattern::two_of_four;
}

// "name:numbers" of one value.
std::shared_ptr<const InputNorms> parse_norms(const std::string& text) {
  const size_t colon = text.find(':');
  return std::make_shared<const InputNorms>(InputNorms{{text.substr(0, colon), parse_numbers(text.substr(colon + 1))}});
}

// "name:number" of one weight, added to those before.
void parse_cost(PruneOptions& prune, const std::string& text) {
  PruneCosts costs = prune.costs ? *prune.costs : PruneCosts();
  const size_t colon = text.find(':');
  costs[text.substr(0, colon)] = std::stof(text.substr(colon + 1));
  prune.costs = std::make_shared<const PruneCosts>(std::move(costs));
}

void parse_setting(PassContext& context, const std::string& word) {
  const size_t equal = word.find('=');
  const std::string key = word.substr(0, equal), value = equal == std::string::npos ? "" : word.substr(equal + 1);
  if (key == "weights") context.weights = value == "int4" ? WeightPrecision::int4 : WeightPrecision::int8;
  else if (key == "block") context.weight_block = std::stoll(value);
  else if (key == "floats") context.floats = dtype_from_name(value);
  else if (key == "largest") context.magnitudes[value.substr(0, value.find(':'))].largest = std::stof(value.substr(value.find(':') + 1));
  else if (key == "smallest") context.magnitudes[value.substr(0, value.find(':'))].smallest = std::stof(value.substr(value.find(':') + 1));
  else if (key == "activations") context.activations = value == "dynamic" ? ActivationPrecision::int8_dynamic : ActivationPrecision::int8;
  else if (key == "prune") parse_prune(context.prune, value);
  else if (key == "only") context.prune.only.push_back(value);
  else if (key == "prune_skip") context.prune.skip.push_back(value);
  else if (key == "cost") parse_cost(context.prune, value);
  else if (key == "norms") context.prune.norms = parse_norms(value);
  else if (key == "scope") context.prune.scope = value == "global" ? PruneScope::global : value == "lamp" ? PruneScope::lamp : PruneScope::tensor;
  else if (key == "found_weight" || key == "found_bias" || key == "found_input") parse_found(context, key, value);
  else if (key == "skip") context.skip_layers.push_back(value);
  else if (key == "fold_limit") context.fold_limit_bytes = std::stoll(value);
  else if (key == "range") {
    std::string name;
    const ValueRange range = parse_range(value, name);
    context.ranges[name] = range;
  } else fail(ErrorKind::model, "unknown setting '", word, "'");
}

bool starts(const std::string& line, std::string_view with) { return line.compare(0, with.size(), with) == 0; }

}  // namespace

std::vector<PassCase> read_cases(const std::string& folder, const std::string& pass) {
  const std::string path = folder + "/" + pass + ".ir";
  ErrorScope scope(path);
  std::istringstream file(read_text(path));
  std::vector<PassCase> cases;
  std::string* into = nullptr;
  for (std::string line; std::getline(file, line);) {
    if (starts(line, "# case: ")) {
      cases.emplace_back().name = line.substr(8);
      cases.back().pass = pass;
      into = &cases.back().before;
    } else if (starts(line, "# ")) {
      require(!cases.empty(), ErrorKind::model, "'", line, "' stands before the first case");
      if (starts(line, "# context: ")) {
        std::istringstream words(line.substr(11));
        for (std::string word; words >> word;) parse_setting(cases.back().context, word);
      } else if (line == "# lossy") cases.back().lossy = true;
      else if (line == "# exact") cases.back().exact = true;
      else if (line == "# becomes") into = &cases.back().after;
      else if (line == "# unchanged") into = nullptr;
      else fail(ErrorKind::model, "unknown line '", line, "'");
    } else if (into) {
      *into += line + "\n";
    } else {
      require(line.empty(), ErrorKind::model, "text outside a graph: '", line, "'");
    }
  }
  return cases;
}

}  // namespace onecard
