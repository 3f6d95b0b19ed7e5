// The examples that others publish of their interfaces, asked of a running server (compat/README.md).

#include <gtest/gtest.h>

#include <map>
#include <regex>

#include <fmt/format.h>

#include "server_program.h"

namespace hansard {
namespace {

namespace bj = json::bj;
using http::ClientResponse;

// Whether a value is of the kind of an example: what may be null says nothing then.
bool is_like(const bj::value& value, const bj::value& example) {
  if (value.is_null() || example.is_null()) return true;
  if (example.is_string()) {
    static const std::regex kTime(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z)");
    if (!value.is_string()) return false;
    return example.get_string() != "time" || std::regex_match(std::string(value.get_string()), kTime);
  }
  if (example.is_array()) {
    if (!value.is_array()) return false;
    if (example.get_array().empty()) return true;
    return !value.get_array().empty() && is_like(value.get_array().front(), example.get_array().front());
  }
  if (example.is_object()) {
    if (!value.is_object()) return false;
    for (const auto& field : example.get_object()) {
      const bj::value* there = value.get_object().if_contains(field.key());
      if (there == nullptr || !is_like(*there, field.value())) return false;
    }
    return true;
  }
  return example.is_bool() ? value.is_bool() : value.is_number();
}

// "bytes 0-99/*": the star stands for anything.
bool matches(std::string_view text, std::string_view pattern) {
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return text == pattern;
  return text.starts_with(pattern.substr(0, star)) && text.ends_with(pattern.substr(star + 1));
}

class CompatModel : public ServerProgram {
 protected:
  void ask_all(Serving& server, const std::string& examples) {
    const std::string path = fmt::format("{}/tests/compat/{}.json", HANSARD_SOURCE_DIR, examples);
    const auto steps = json::parse(read_file(path, 1 << 20).value());
    ASSERT_TRUE(steps) << steps.error().message;
    for (const bj::value& value : steps->as_array()) {
      const bj::object& step = value.as_object();
      SCOPED_TRACE(std::string(step.at("name").as_string()));
      const ClientResponse answer = ask(server, step);
      hold(answer, step);
      if (HasFailure()) return;  // what follows builds on it
    }
  }

 private:
  // With what earlier steps have kept.
  std::string filled(std::string_view text) const {
    std::string result(text);
    for (const auto& [name, value] : kept_) {
      const std::string place = "{" + name + "}";
      for (size_t at = result.find(place); at != std::string::npos; at = result.find(place, at))
        result.replace(at, place.size(), value);
    }
    return result;
  }

  ClientResponse ask(Serving& server, const bj::object& step) {
    const std::string request = filled(step.at("request").as_string());
    const size_t space = request.find(' ');
    const std::string method = request.substr(0, space);
    const std::string target = request.substr(space + 1);
    std::string headers = filled(text(step, "headers"));
    if (!headers.empty()) headers += "\r\n";
    if (const bj::value* job = step.if_contains("wait")) {
      server.ask_with(headers);
      server.wait_for_end(filled(job->as_string()));
      server.ask_with("");
    }
    if (const bj::value* body = step.if_contains("json"))
      return server.request(method, target, filled(json::to_text(*body)), headers);
    const bj::value* form = step.if_contains("form");
    if (form == nullptr) return server.request(method, target, {}, headers);
    std::string bytes;
    std::string name;
    std::map<std::string, std::string> fields;
    for (const auto& field : form->as_object()) {
      if (field.value().is_object()) {
        name = field.value().at("recording").as_string();
        bytes = bytes_of(name);
      } else {
        fields[std::string(field.key())] = field.value().as_string();
      }
    }
    return server.request(method, target, http::form(bytes, name, fields), headers.append(http::kFormHeader));
  }

  void hold(const ClientResponse& answer, const bj::object& step) {
    EXPECT_EQ(answer.status, step.at("status").to_number<int>()) << answer.body;
    const bj::object body = object(answer);
    if (const bj::value* fields = step.if_contains("fields")) {
      for (const auto& field : fields->as_object()) {
        const bj::value* there = body.if_contains(field.key());
        EXPECT_TRUE(there != nullptr && is_like(*there, field.value()))
            << field.key() << " of " << answer.body;
      }
    }
    if (const bj::value* equal = step.if_contains("equal")) {
      for (const auto& field : equal->as_object()) {
        const bj::value* there = body.if_contains(field.key());
        const std::string wanted = filled(json::to_text(field.value()));
        EXPECT_EQ(there == nullptr ? "nothing" : json::to_text(*there), wanted) << field.key();
      }
    }
    if (const bj::value* headers = step.if_contains("answer_headers")) {
      for (const auto& header : headers->as_object()) {
        const auto there = answer.headers.find(std::string(header.key()));
        ASSERT_NE(there, answer.headers.end()) << header.key();
        EXPECT_TRUE(matches(there->second, std::string_view(header.value().as_string()))) << there->second;
      }
    }
    if (const bj::value* part = step.if_contains("contains"))
      EXPECT_NE(answer.body.find(filled(part->as_string())), std::string::npos) << answer.body;
    if (const bj::value* save = step.if_contains("save")) {
      for (const auto& name : save->as_object())
        kept_[std::string(name.key())] = text(body, name.value().as_string());
    }
  }

  std::map<std::string, std::string> kept_;
};

TEST_F(CompatModel, WhatCesarPublishes) {
  Serving server = serve({"SPEECH_ENGINE_AUTO_DOWNLOAD=false"});
  ASSERT_TRUE(server.listens()) << server.log();
  ask_all(server, "cesar");
}

TEST_F(CompatModel, WhatScriberrPublishes) {
  Serving server = serve({"HANSARD_AUTH=required"});
  ASSERT_TRUE(server.listens()) << server.log();
  ask_all(server, "scriberr");
}

}  // namespace
}  // namespace hansard
