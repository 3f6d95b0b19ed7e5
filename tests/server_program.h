// A test that runs `hansard serve`, with the models and recordings of the build's parts, and the commands
// that ask it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/file.h"
#include "program.h"
#include "serving.h"

namespace hansard {

class ServerProgram : public Program {
 protected:
  std::vector<std::string> server_environment() const {
    return {fmt::format("PATH={}", std::getenv("PATH")), fmt::format("HOME={}", (folder_ / "home").string()),
            fmt::format("HANSARD_DATA_DIR={}", data().string()),
            fmt::format("HANSARD_MODEL_PATH={}", models().string()), "LC_ALL=C.UTF-8"};
  }
  Serving serve(const std::vector<std::string>& more = {}, std::vector<std::string> flags = {},
                const std::filesystem::path& program = HANSARD_BINARY_DIR "/bin/hansard") const {
    std::vector<std::string> environment = server_environment();
    for (const std::string& variable : more) {
      const std::string name = variable.substr(0, variable.find('=') + 1);
      std::erase_if(environment, [&](const std::string& other) { return other.starts_with(name); });
      environment.push_back(variable);
    }
    return {program, folder_ / "server.log", environment, std::move(flags)};
  }
  static std::string url(const Serving& server) {
    return fmt::format("HANSARD_URL=http://127.0.0.1:{}", server.port());
  }
  std::filesystem::path data() const { return folder_ / "data"; }
  static std::string bytes_of(const std::string& name) {
    return read_file(recording(name), 64 << 20).value();
  }
  static json::bj::object object(const http::ClientResponse& response) {
    return json::parse_object(response.body).value_or(json::bj::object());
  }
  // A field that is text; empty where it is none.
  static std::string text(const json::bj::object& object, std::string_view name) {
    return json::get_string(object, name).value_or("");
  }
  // A refusal, with all that belongs to its body.
  static void expect_problem(const http::ClientResponse& response, int status, std::string_view code,
                             std::string_view field = {}) {
    EXPECT_EQ(response.status, status) << response.body;
    const json::bj::object answer = object(response);
    ASSERT_TRUE(answer.contains("error") && answer.at("error").is_object()) << response.body;
    const json::bj::object& error = answer.at("error").as_object();
    EXPECT_EQ(error.size(), 4U) << response.body;
    EXPECT_EQ(text(error, "code"), code) << response.body;
    EXPECT_EQ(text(error, "field"), field) << response.body;
    EXPECT_FALSE(text(error, "message").empty());
    EXPECT_EQ(text(error, "request_id"), response.headers.at("x-request-id"));
  }
  static size_t files_under(const std::filesystem::path& folder) { return listing(folder).size(); }
};

}  // namespace hansard
