// hansard models list|install|import|remove|verify. Each gives the text for standard output; how far an
// install is goes to standard error meanwhile.
#pragma once

#include <filesystem>
#include <span>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "models/library.h"

namespace hansard::cli {

// A table of the catalog and of what else is installed: name, kind, size, licence, where. Below it, who is to
// be named for the models that are installed, where their licence asks for it.
Result<std::string> list_models(const models::Library& library);

// Names are looked at before anything is downloaded. Stops at the first that fails; what was installed stays.
Result<std::string> install_models(models::Library& library, std::span<const std::string> names,
                                   std::stop_token stop);

// `id` empty: the name of the folder or archive, less its extension.
Result<std::string> import_model(models::Library& library, const std::filesystem::path& from, std::string id,
                                 std::stop_token stop);

Result<std::string> remove_models(models::Library& library, std::span<const std::string> names);

// No names: all that are installed. Every model is read; the error names all that are damaged.
Result<std::string> verify_models(const models::Library& library, std::span<const std::string> names,
                                  std::stop_token stop);

}  // namespace hansard::cli
