#include "serving.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <thread>

#include "base/file.h"
#include "contract.h"

namespace hansard {

using namespace std::chrono_literals;

namespace {

constexpr const char* kToken = "HF_TOKEN=hf_nobodyMayReadThisOne";

// What no client may read: where things lie, and tokens.
std::vector<std::string> secrets_of(const std::vector<std::string>& environment) {
  std::vector<std::string> secrets;
  for (const std::string& variable : environment) {
    for (const std::string_view name :
         {"HOME=", "HANSARD_DATA_DIR=", "HANSARD_MODEL_PATH=", "SPEECH_ENGINE_CACHE_DIR=", "HF_TOKEN="}) {
      if (!variable.starts_with(name)) continue;
      const std::string value = variable.substr(name.size());
      // "none" is no secret.
      if (value.starts_with('/') || value.starts_with("hf_")) secrets.push_back(value);
    }
  }
  return secrets;
}

}  // namespace

Serving::Serving(std::filesystem::path program, std::filesystem::path log,
                 std::vector<std::string> environment, std::vector<std::string> flags)
    : log_(std::move(log)) {
  const UniqueFd output(::open(log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  ChildOptions options;
  options.argv = {program.string(), "serve", "--port", "0"};
  options.argv.insert(options.argv.end(), flags.begin(), flags.end());
  const bool says = std::any_of(environment.begin(), environment.end(),
                                [](const std::string& value) { return value.starts_with("HANSARD_AUTH="); });
  if (!says) environment.emplace_back("HANSARD_AUTH=none");
  // There is always a token that could be told.
  environment.emplace_back(kToken);
  options.environment = environment;
  options.descriptors = {{1, output.get()}, {2, output.get()}};
  child_ = ChildProcess::start(options).value();
  constexpr std::string_view kListens = "listens on http://127.0.0.1:";
  while (port_ == 0 && !child_.wait_for(5ms)) {
    const std::string text = this->log();
    const size_t at = text.find(kListens);
    if (at == std::string::npos || text.find('\n', at) == std::string::npos) continue;
    std::from_chars(text.data() + at + kListens.size(), text.data() + text.size(), port_);
  }
  if (listens()) hold_to_contract(port_, secrets_of(environment));
}

Serving::~Serving() {
  // Logs are for who runs the server; tokens are for nobody.
  EXPECT_EQ(log().find(std::string_view(kToken).substr(std::string_view("HF_TOKEN=").size())),
            std::string::npos);
}

std::string Serving::log() const {
  return read_file(log_, 64 << 20).value_or("");
}

http::ClientResponse Serving::request(std::string_view method, std::string_view target, std::string_view body,
                                      std::string_view headers) const {
  return http::Client(port_).request(method, target, body, headers_ + std::string(headers));
}

std::string Serving::submit(std::string_view recording, const std::map<std::string, std::string>& fields,
                            std::string_view headers) const {
  const auto response =
      request("POST", "/api/v1/transcriptions:submit", http::form(recording, "recording.wav", fields),
              std::string(http::kFormHeader).append(headers));
  const auto job = json::parse_object(response.body);
  return response.status == 202 && job ? std::string(job->at("id").as_string()) : std::string();
}

json::bj::object Serving::wait_for_end(const std::string& id) const {
  http::Client client(port_);
  client.send("GET /api/v1/transcriptions/" + id + "/events HTTP/1.1\r\nHost: localhost\r\n" + headers_ +
              "\r\n");
  client.read_until("\r\n\r\nnever: the stream ends with the job");
  return json::parse_object(get("/api/v1/transcriptions/" + id).body).value_or(json::bj::object());
}

}  // namespace hansard
