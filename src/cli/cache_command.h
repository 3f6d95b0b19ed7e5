// hansard cache info|clear and hansard config show: what is kept, and what is set.
#pragma once

#include <string>

#include "base/config.h"
#include "pipeline/artifacts.h"

namespace hansard::cli {

// The artifacts of this configuration: HANSARD_CACHE_MAX_GB under the data folder.
pipeline::Artifacts open_artifacts(const Config& config);

std::string cache_info(const Config& config);
std::string cache_clear(const Config& config);
std::string config_show(const Config& config);

}  // namespace hansard::cli
