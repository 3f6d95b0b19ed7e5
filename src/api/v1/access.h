// Who may use which route: the one place where a request becomes a user.
#pragma once

#include "api/v1/api.h"
#include "auth/identity.h"
#include "http/router.h"

namespace hansard::api::v1 {

// Looks at each request: 401 where it does not say who it is from, 403 where that one may not do this. A
// route that is not named among the open ones is closed.
http::Guard make_guard(Services& services);

// Whose request it is. Of routes that are not open.
const auth::Identity& caller_of(const http::Request& request);
auth::Client client_of(const http::Request& request);

}  // namespace hansard::api::v1
