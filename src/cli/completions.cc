#include "cli/completions.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "models/catalog.h"

namespace hansard::cli {
namespace {

// What a value of a flag, or a word of a command, may be.
struct Values {
  std::vector<std::string> choices;
  bool files = false;
};

struct Flag {
  std::string name;  // "--model", "-o"
  std::string help;
  bool takes_value = false;
  Values values;
};

struct Command {
  std::string path;                                           // "", "models", "models install"
  std::vector<std::pair<std::string, std::string>> commands;  // below it: name, help
  std::vector<Flag> flags;
  Values words;
};

Values values_of(const CLI::Option& option) {
  static const std::set<std::string> kFiles{"FILE", "FOLDER", "INPUT", "FROM"};
  // What checks the value says more, behind a colon.
  const std::string type = option.get_type_name().substr(0, option.get_type_name().find(':'));
  const std::string name = option.get_name();
  Values values{{}, kFiles.contains(type) || kFiles.contains(name)};
  if (type == "MODEL" || name == "MODEL") {
    for (const models::Model& model : models::catalog())
      values.choices.push_back(model.short_name.empty() ? model.id : model.short_name);
  }
  for (size_t at = 0; type.find('|') != std::string::npos && at <= type.size();) {
    const size_t end = std::min(type.find('|', at), type.size());
    values.choices.push_back(type.substr(at, end - at));
    at = end + 1;
  }
  return values;
}

void add_flags(const CLI::App& app, Command& command) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) {
      command.words = values_of(*option);
      continue;
    }
    const bool takes_value = option->get_items_expected_max() > 0;
    const std::string& description = option->get_description();
    const std::string help = description.substr(0, description.find('\n'));
    const Values values = takes_value ? values_of(*option) : Values();
    const auto add = [&](const std::string& name) {
      const auto same = [&](const Flag& flag) { return flag.name == name; };
      if (std::none_of(command.flags.begin(), command.flags.end(), same))
        command.flags.push_back({name, help, takes_value, values});
    };
    for (const std::string& name : option->get_snames()) add("-" + name);
    for (const std::string& name : option->get_lnames()) add("--" + name);
  }
}

void collect(const CLI::App& app, const CLI::App& root, const std::string& path, std::vector<Command>& all) {
  Command command{path, {}, {}, {}};
  const auto below = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* sub : below) command.commands.emplace_back(sub->get_name(), sub->get_description());
  add_flags(app, command);
  if (&app != &root) add_flags(root, command);
  all.push_back(std::move(command));
  for (const CLI::App* sub : below)
    collect(*sub, root, path.empty() ? sub->get_name() : path + " " + sub->get_name(), all);
}

// Inside single quotes of a shell.
std::string single_quoted(std::string_view text) {
  std::string result;
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result;
}

// ---- bash and zsh: the same walk over the words that are there already

// Shell code that sets `command` to the command that `words_so_far` name, and `value_of` to the flag whose
// value comes next; `loop` gives each word as $w.
std::string walk(const std::vector<Command>& all, std::string_view loop) {
  std::set<std::string> paths;
  std::set<std::string> valued;
  for (const Command& command : all) {
    if (!command.path.empty()) paths.insert(fmt::format("'{}'", command.path));
    for (const Flag& flag : command.flags) {
      if (flag.takes_value) valued.insert(flag.name);
    }
  }
  return fmt::format(
      "  local command= value_of= w\n"
      "  {}; do\n"
      "    if [[ -n $value_of ]]; then\n"
      "      [[ $w == '=' ]] || value_of=\n"
      "      continue\n"
      "    fi\n"
      "    case $w in {}) value_of=$w ;; esac\n"
      "    case \"${{command:+$command }}$w\" in {}) command=\"${{command:+$command }}$w\" ;; esac\n"
      "  done\n",
      loop, fmt::join(valued, " | "), fmt::join(paths, " | "));
}

std::string bash(const std::vector<Command>& all) {
  std::string text =
      "# bash completions for hansard: source this file, or put it into\n"
      "# ~/.local/share/bash-completion/completions/hansard\n"
      "_hansard() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} words= files= flags=\n" +
      walk(all, "for w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"") +
      "  [[ $word != '=' ]] || word=\n"
      "  case $command:$value_of in\n";
  for (const Command& command : all) {
    for (const Flag& flag : command.flags) {
      if (flag.takes_value) {
        text += fmt::format("    '{}:{}') words='{}' files={} ;;\n", command.path, flag.name,
                            fmt::join(flag.values.choices, " "), flag.values.files ? "1" : "");
      }
    }
    std::vector<std::string> names = command.words.choices;
    for (const auto& [name, help] : command.commands) names.push_back(name);
    std::vector<std::string> flags;
    for (const Flag& flag : command.flags) flags.push_back(flag.name);
    text += fmt::format("    '{}:') words='{}' files={} flags='{}' ;;\n", command.path, fmt::join(names, " "),
                        command.words.files ? "1" : "", fmt::join(flags, " "));
  }
  return text +
         "  esac\n"
         "  [[ $word != -* ]] || words=$flags\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "  [[ -z $files || $word == -* ]] || {\n"
         "    local IFS=$'\\n'\n"
         "    COMPREPLY+=($(compgen -f -- \"$word\"))\n"
         "  }\n"
         "}\n"
         "complete -o filenames -F _hansard hansard\n";
}

// "name:what it is", for _describe.
std::string described(std::string_view name, std::string_view help) {
  std::string text(name);
  text += ':';
  for (const char c : help) text += c == ':' ? std::string("\\:") : std::string(1, c);
  return single_quoted(text);
}

std::string zsh(const std::vector<Command>& all) {
  std::string text =
      "#compdef hansard\n"
      "# zsh completions for hansard: put this file as _hansard into a folder of $fpath\n"
      "_hansard() {\n"
      "  local -a choices commands flags\n"
      "  local files= found=1\n" +
      walk(all, "for w in \"${(@)words[2,CURRENT-1]}\"") +
      "  if [[ $PREFIX == --*=* ]]; then\n"
      "    value_of=${PREFIX%%=*}\n"
      "    compset -P '*='\n"
      "  fi\n"
      "  case $command:$value_of in\n";
  for (const Command& command : all) {
    for (const Flag& flag : command.flags) {
      if (flag.takes_value) {
        text += fmt::format("    '{}:{}') choices=({}) files={} ;;\n", command.path, flag.name,
                            fmt::join(flag.values.choices, " "), flag.values.files ? "1" : "");
      }
    }
    text += fmt::format("    '{}:')\n      choices=({}) files={}\n      commands=(\n", command.path,
                        fmt::join(command.words.choices, " "), command.words.files ? "1" : "");
    for (const auto& [name, help] : command.commands)
      text += fmt::format("        '{}'\n", described(name, help));
    text += "      )\n      flags=(\n";
    for (const Flag& flag : command.flags)
      text += fmt::format("        '{}'\n", described(flag.name, flag.help));
    text += "      ) ;;\n";
  }
  return text +
         "  esac\n"
         "  (( $#commands )) && _describe command commands && found=0\n"
         "  (( $#choices )) && compadd -a choices && found=0\n"
         "  [[ -n $files ]] && _files && found=0\n"
         "  [[ $PREFIX == -* ]] && _describe flag flags && found=0\n"
         "  return found\n"
         "}\n"
         "[[ $funcstack[1] == _hansard ]] && _hansard \"$@\" || compdef _hansard hansard\n";
}

// ---- fish

// True where the words so far name this command and none below it.
std::string condition(const Command& command) {
  if (command.path.empty()) return "__fish_use_subcommand";
  std::string text = "__fish_seen_subcommand_from " + command.path;
  if (const size_t space = text.rfind(' '); command.path.find(' ') != std::string::npos)
    text.insert(space, "; and __fish_seen_subcommand_from");
  if (command.commands.empty()) return text;
  text += "; and not __fish_seen_subcommand_from";
  for (const auto& [name, help] : command.commands) text += " " + name;
  return text;
}

std::string fish_values(const Values& values) {
  std::string text = values.files ? " -F" : " -f";
  if (!values.choices.empty()) text += fmt::format(" -a '{}'", fmt::join(values.choices, " "));
  return text;
}

std::string fish(const std::vector<Command>& all) {
  std::string text =
      "# fish completions for hansard: put this file into ~/.config/fish/completions/hansard.fish\n"
      "complete -c hansard -f\n";
  for (const Command& command : all) {
    const std::string line = fmt::format("complete -c hansard -n '{}'", condition(command));
    for (const auto& [name, help] : command.commands)
      text += fmt::format("{} -a '{}' -d '{}'\n", line, name, single_quoted(help));
    if (command.words.files || !command.words.choices.empty())
      text += fmt::format("{}{}\n", line, fish_values(command.words));
    for (const Flag& flag : command.flags) {
      text += fmt::format("{} {} {}{} -d '{}'\n", line, flag.name.starts_with("--") ? "-l" : "-s",
                          flag.name.substr(flag.name.starts_with("--") ? 2 : 1),
                          flag.takes_value ? " -r" + fish_values(flag.values) : std::string(),
                          single_quoted(flag.help));
    }
  }
  return text;
}

}  // namespace

std::string completions(const CLI::App& app, std::string_view shell) {
  std::vector<Command> all;
  collect(app, app, "", all);
  if (shell == "bash") return bash(all);
  if (shell == "zsh") return zsh(all);
  return fish(all);
}

}  // namespace hansard::cli
