// hansard backup and restore: the library of a data folder as one file, and back.
#pragma once

#include <filesystem>
#include <stop_token>

#include "base/config.h"
#include "cli/exit_code.h"

namespace hansard::cli {

struct BackupArguments {
  std::filesystem::path file;
  bool force = false;  // of restore: what is there is moved aside
  bool quiet = false;
};

// While a server has the data folder, it is asked; else the folder is read. `file` is replaced once the new
// backup is whole; nothing else is left of one that fails.
ExitCode run_backup(const BackupArguments& arguments, const Config& config, const std::stop_token& stop);

// Everything is unpacked and checked aside first: a restore that fails has changed nothing.
ExitCode run_restore(const BackupArguments& arguments, const Config& config, const std::stop_token& stop);

}  // namespace hansard::cli
