#include "library/chains.h"

#include "jobs/state.h"
#include "library/transcriptions.h"

namespace hansard::library {
namespace {

using jobs::Job;
using store::Reader;
using store::Row;
using store::Statement;

Result<Chain> chain_of(Reader& reader, Job first) {
  static constexpr Statement kRetries{
      "transcriptions.retries",
      "SELECT id FROM transcriptions WHERE source_transcription_id = $1 AND user_id = $2 AND deleted_at IS "
      "NULL ORDER BY created_at, id"};
  const auto rows = TRY(reader.rows(kRetries, first.id, first.user_id));
  Chain chain{std::move(first)};
  for (const Row& row : rows) {
    if (auto job = TRY(jobs::find(reader, row.text(0)))) chain.push_back(std::move(*job));
  }
  return chain;
}

}  // namespace

Result<std::optional<Chain>> find_chain(Reader& reader, std::string_view user_id, std::string_view client,
                                        std::string_view first_id) {
  auto first = TRY(find_transcription(reader, user_id, first_id));
  if (!first || first->client != client || first->source_id) return std::optional<Chain>();
  return std::optional(TRY(chain_of(reader, std::move(*first))));
}

Result<std::vector<Chain>> list_chains(Reader& reader, std::string_view user_id, std::string_view client,
                                       int64_t limit) {
  static constexpr Statement kFirst{
      "transcriptions.of_client",
      "SELECT id FROM transcriptions WHERE user_id = $1 AND client = $2 AND source_transcription_id IS NULL "
      "AND deleted_at IS NULL AND ephemeral_until IS NULL ORDER BY created_at DESC, id DESC LIMIT $3"};
  std::vector<Chain> chains;
  for (const Row& row : TRY(reader.rows(kFirst, user_id, client, limit))) {
    auto first = TRY(jobs::find(reader, row.text(0)));
    if (first) chains.push_back(TRY(chain_of(reader, std::move(*first))));
  }
  return chains;
}

}  // namespace hansard::library
