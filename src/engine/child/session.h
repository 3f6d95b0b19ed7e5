// The child's side of the protocol: takes requests one after the other, holds the models that are loaded, and
// answers with results as they become ready. See engine/protocol.h for frames.
//
// From the parent                                     answered by
//   hello     version, device, compute_type, threads,   hello  version, device, device_note, compute_type,
//   build
//             max_loaded, idle_timeout_s, log_level
//   load      id, kind, files; descriptors in order     done
//   plan      samples, speech_model, …; a spool         progress…, done  plan
//   transcribe  samples, plan, groups, …; a spool       progress…, group…, done
//   voices    samples, …; a spool                       progress…, done  with the voices as payload
//   diarize   speakers, with the voices as payload      done  turns
//   cancel                                              ends the request in work with an error CANCELED
// Any request may be answered by error: code, message, detail. Lines of the log come as log: level, line.
#pragma once

#include "engine/protocol.h"

namespace hansard::engine {

// Serves until the parent closes its end or nothing was asked for as long as the hello's idle timeout.
// Returns the exit code of the process. Reads the socket in a thread of its own, so that a cancel is heard
// during work and the end of the parent ends this process at once.
int serve(UniqueFd socket);

}  // namespace hansard::engine
