#include "cli/server_settings.h"

#include <gtest/gtest.h>

namespace hansard::cli {
namespace {

std::string refusal(const Exposure& exposure) {
  const Result<void> checked = check_exposure(exposure);
  return checked ? "" : checked.error().message;
}

TEST(Exposure, ThisMachineMayAskAnyhow) {
  for (const char* host : {"127.0.0.1", "127.1.2.3", "::1"}) EXPECT_EQ(refusal({.host = host}), "") << host;
}

TEST(Exposure, BeyondItThereMustBeAccountsAndAWayThatNobodyReads) {
  for (const char* host : {"0.0.0.0", "::", "192.0.2.1", "12.7.0.0"}) {
    EXPECT_NE(refusal({.host = host}).find("without accounts"), std::string::npos);
    EXPECT_NE(refusal({.host = host, .tls = true}).find("without accounts"), std::string::npos);
    EXPECT_NE(refusal({.host = host, .behind_proxy = true}).find("without accounts"), std::string::npos);
    EXPECT_NE(refusal({.host = host, .accounts = true}).find("HANSARD_TLS_CERT"), std::string::npos);
    EXPECT_EQ(refusal({.host = host, .accounts = true, .tls = true}), "");
    EXPECT_EQ(refusal({.host = host, .accounts = true, .behind_proxy = true}), "");
  }
  EXPECT_NE(refusal({.host = "0.0.0.0"}).find("HANSARD_HOST is \"0.0.0.0\"; allowed is"), std::string::npos);
}

}  // namespace
}  // namespace hansard::cli
