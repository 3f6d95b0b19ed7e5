// Completions for shells, made from the commands and flags themselves, so that they cannot be out of date.
#pragma once

#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace hansard::cli {

// `shell` is bash, zsh or fish.
std::string completions(const CLI::App& app, std::string_view shell);

}  // namespace hansard::cli
