#include "cli/completions.h"

#include <CLI/CLI.hpp>

#include <fmt/format.h>

namespace hansard::cli {
namespace {

struct Word {
  std::string text;  // "--model", "list"
  std::string help;
  bool is_command = false;
};

// One command and what may follow its words. Commands are at most two words deep.
struct Node {
  std::string path;  // "", "models", "models install"
  std::vector<Word> words;
};

void add_flags(const CLI::App& app, std::vector<Word>& words) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_snames())
      words.push_back({"-" + name, option->get_description()});
    for (const std::string& name : option->get_lnames())
      words.push_back({"--" + name, option->get_description()});
  }
}

void collect(const CLI::App& app, const CLI::App& root, const std::string& path, std::vector<Node>& nodes) {
  Node node{path, {}};
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* command : commands) {
    node.words.push_back({command->get_name(), command->get_description(), true});
  }
  add_flags(app, node.words);
  if (&app != &root) add_flags(root, node.words);
  nodes.push_back(std::move(node));
  for (const CLI::App* command : commands) {
    collect(*command, root, path.empty() ? command->get_name() : path + " " + command->get_name(), nodes);
  }
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

// Inside single quotes of a shell.
std::string single_quoted(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\'') {
      result += "'\\''";
    } else {
      result += c;
    }
  }
  return result;
}

std::string bash(const std::vector<Node>& nodes) {
  std::string text =
      "# bash completions for hansard: source this file, or put it where bash-completion looks\n"
      "_hansard() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} path= words=\n"
      "  local i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    [[ ${COMP_WORDS[i]} == -* ]] || path+=${path:+ }${COMP_WORDS[i]}\n"
      "  done\n"
      "  case $path in\n";
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    std::string words;
    for (const Word& word : node->words) words += word.text + " ";
    text += fmt::format("    {}) words='{}' ;;\n",
                        node->path.empty() ? "''" : fmt::format("'{0}' | '{0} '*", node->path), words);
  }
  text +=
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "  [[ $word == -* ]] || COMPREPLY+=($(compgen -f -- \"$word\"))\n"
      "}\n"
      "complete -o filenames -F _hansard hansard\n";
  return text;
}

std::string zsh(const std::vector<Node>& nodes) {
  std::string text =
      "#compdef hansard\n"
      "# zsh completions for hansard: put this file as _hansard into a folder of $fpath\n"
      "_hansard() {\n"
      "  local -a path_words options\n"
      "  path_words=(${words[2,CURRENT-1]:#-*})\n"
      "  case \"${path_words[*]}\" in\n";
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    text += fmt::format("    {})\n      options=(\n",
                        node->path.empty() ? "''" : fmt::format("'{0}'|'{0} '*", node->path));
    for (const Word& word : node->words) {
      std::string help = first_line(word.help);
      std::string escaped;
      for (const char c : help) escaped += c == ':' ? std::string("\\:") : std::string(1, c);
      text += fmt::format("        '{}:{}'\n", word.text, single_quoted(escaped));
    }
    text += "      ) ;;\n";
  }
  text +=
      "  esac\n"
      "  _describe 'hansard' options\n"
      "  _files\n"
      "}\n"
      "_hansard \"$@\"\n";
  return text;
}

std::string fish(const std::vector<Node>& nodes) {
  std::string text =
      "# fish completions for hansard: put this file into ~/.config/fish/completions/hansard.fish\n";
  for (const Node& node : nodes) {
    std::string condition = "__fish_use_subcommand";
    if (!node.path.empty()) {
      condition.clear();
      for (size_t at = 0; at < node.path.size();) {
        const size_t end = std::min(node.path.find(' ', at), node.path.size());
        condition += fmt::format("{}__fish_seen_subcommand_from {}", condition.empty() ? "" : "; and ",
                                 node.path.substr(at, end - at));
        at = end + 1;
      }
    }
    for (const Word& word : node.words) {
      const std::string how = word.is_command               ? fmt::format("-f -a '{}'", word.text)
                              : word.text.starts_with("--") ? fmt::format("-l {}", word.text.substr(2))
                                                            : fmt::format("-s {}", word.text.substr(1));
      text += fmt::format("complete -c hansard -n '{}' {} -d '{}'\n", condition, how,
                          single_quoted(first_line(word.help)));
    }
  }
  return text;
}

}  // namespace

std::string completions(const CLI::App& app, std::string_view shell) {
  std::vector<Node> nodes;
  collect(app, app, "", nodes);
  if (shell == "bash") return bash(nodes);
  if (shell == "zsh") return zsh(nodes);
  return fish(nodes);
}

}  // namespace hansard::cli
