#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <iostream>
#include <new>
#include <numeric>

#include "tools/command.h"

namespace onecard {

namespace {

// Flags may be what is wrong, so this does not wait for the parser.
bool asks_for_json(int argc, char** argv) {
  for (int i = 1; i < argc; ++i)
    if (std::strcmp(argv[i], "--json") == 0) return true;
  return false;
}

int report(bool json, const char* program, const char* kind, int exit_code, const std::string& where, const std::string& message,
           std::optional<int64_t> smallest = {}) {
  if (json) {
    nlohmann::ordered_json j;
    j["error"] = {{"kind", kind}, {"message", message}, {"where", where}};
    j["exit_code"] = exit_code;
    if (smallest) j["smallest_feasible_bytes"] = *smallest;
    std::cout << j.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << std::endl;
  }
  std::cerr << program << ": error: " << where << (where.empty() ? "" : ": ") << message << std::endl;
  return exit_code;
}

std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n') c = ' ';
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

// How many letters must change, come or go to make one word of the other.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t k = 0; k < b.size(); ++k) {
      const size_t above = row[k + 1];
      row[k + 1] = std::min({above + 1, row[k] + 1, diagonal + (a[i] == b[k] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

// "did you mean --iterations?" for the word of the list nearest to a mistyped one; "" when none is near.
std::string did_you_mean(std::string_view wrong, const std::vector<std::string>& words) {
  const std::string* best = nullptr;
  size_t least = wrong.size() / 3 + 1;
  for (const std::string& w : words) {
    const bool begins = wrong.size() > 3 && (w.starts_with(wrong) || wrong.starts_with(w));
    const size_t d = begins ? 1 : edit_distance(wrong, w);
    if (d <= least && (!best || d < least)) best = &w, least = d;
  }
  return best ? "did you mean " + *best + "?" : "";
}

// What is said of arguments that a command does not know: the first of them and the flag nearest to it.
std::string unexpected(const CLI::App& sub, const std::string& argument) {
  const std::string flag = argument.substr(0, argument.find('='));
  std::vector<std::string> flags;
  for (const CLI::Option* option : sub.get_options())
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  std::string text = flag.starts_with('-') ? sub.get_name() + " has no flag " + flag : sub.get_name() + " does not expect '" + argument + "'";
  const std::string near = flag.starts_with('-') ? did_you_mean(flag, flags) : "";
  return text + (near.empty() ? "" : "; " + near);
}

int parse_and_run(int argc, char** argv, const char* name, const char* summary, std::span<const Command> commands, const OpenNetwork& open) {
  CLI::App app{summary, name};
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string(name) + " 0.1.0");
  const std::string_view first = argc > 1 ? argv[1] : "";
  const bool named = std::any_of(commands.begin(), commands.end(), [&](const Command& c) { return first == c.name; });
  std::vector<std::pair<CLI::App*, Action>> actions;
  for (const Command& c : commands) {
    CLI::App* sub = app.add_subcommand(c.name, c.summary);
    if (named && first != c.name) continue;  // the flags of all commands cost more time than a small network
    Flags flags(*sub);
    actions.emplace_back(sub, c.set_up(flags, open));
  }
  if (!named && !first.empty() && !first.starts_with('-')) {
    std::vector<std::string> names;
    for (const Command& c : commands) names.emplace_back(c.name);
    const std::string near = did_you_mean(first, names);
    throw Error(ErrorKind::usage,
                "there is no command '" + std::string(first) + "'; " + near + (near.empty() ? "" : " ") + "`" + name + " --help` lists them");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);
    if (dynamic_cast<const CLI::ExtrasError*>(&e))
      for (const auto& [sub, action] : actions)
        if (const auto rest = sub->remaining(); !rest.empty())
          throw Error(ErrorKind::usage, unexpected(*sub, rest[0]) + "; `" + name + " " + sub->get_name() + " --help` lists its flags");
    throw Error(ErrorKind::usage, one_line(e.what()) + "; `" + name + " --help` and `" + name + " COMMAND --help` tell what there is");
  }
  for (const auto& [sub, action] : actions)
    if (sub->parsed()) return action();
  throw Error(ErrorKind::usage, "no command was given");
}

}  // namespace

int run_program(int argc, char** argv, const char* name, const char* summary, std::span<const Command> commands, const OpenNetwork& open) {
  const bool json = asks_for_json(argc, argv);
  std::signal(SIGXFSZ, SIG_IGN);  // a file that grows too large is an error of the write, after which nothing half-written is left
  try {
    const int code = parse_and_run(argc, argv, name, summary, commands, open);
    std::cout.flush();
    if (!std::cout)
      return report(false, name, kind_name(ErrorKind::io), static_cast<int>(ErrorKind::io), "", "the result could not be written to stdout");
    return code;
  } catch (const Error& e) {
    return report(json, name, kind_name(e.kind), static_cast<int>(e.kind), e.where, one_line(e.message), e.smallest_feasible_bytes);
  } catch (const std::bad_alloc&) {
    return report(json, name, kind_name(ErrorKind::does_not_fit), static_cast<int>(ErrorKind::does_not_fit), "", "out of memory");
  } catch (const std::exception& e) {
    return report(json, name, kind_name(ErrorKind::internal), static_cast<int>(ErrorKind::internal), "",
                  std::string("a bug in onecard: ") + one_line(e.what()));
  }
}

}  // namespace onecard
