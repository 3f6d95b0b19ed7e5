// hansard-engine: started by hansard with one end of a socket pair as descriptor 3. Not for people.

#include <sys/socket.h>
#include <sys/stat.h>

#include <cstdio>
#include <string_view>

#include "engine/child/session.h"

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    std::puts("hansard-engine " HANSARD_VERSION);
    return 0;
  }
  constexpr int kSocket = 3;
  int type = 0;
  socklen_t size = sizeof type;
  if (argc != 1 || ::getsockopt(kSocket, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    std::fputs("hansard-engine is started by hansard; run: hansard transcribe FILE\n", stderr);
    return 2;
  }
  return hansard::engine::serve(hansard::UniqueFd(kSocket));
}
