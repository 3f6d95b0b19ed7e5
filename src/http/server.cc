#include "http/server.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/sendfile.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <future>
#include <mutex>
#include <thread>
#include <tuple>
#include <unordered_set>

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/network.h"
#include "base/spelling.h"
#include "http/compress.h"
#include "http/field.h"
#include "http/forwarded.h"
#include "http/range.h"

namespace hansard::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::awaitable;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;
using boost::system::error_code;

// Errors come as values, not as exceptions.
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

bool is_request_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < 127; });
}

// A connection's bytes, through TLS where there is a certificate. One read and one write may be in work at a
// time, both on the io thread. OpenSSL works on the socket itself: a connection that waits has no buffers
// then, where Asio's own stream has 70 KB of them.
class Stream {
 public:
  using executor_type = tcp::socket::executor_type;

  Stream(tcp::socket socket, SSL_CTX* tls) : socket_(std::move(socket)) {
    if (tls == nullptr) return;
    ssl_.reset(SSL_new(tls));
    socket_.native_non_blocking(true);
    SSL_set_fd(ssl_.get(), socket_.native_handle());
    SSL_set_accept_state(ssl_.get());
  }
  executor_type get_executor() { return socket_.get_executor(); }
  tcp::socket& socket() { return socket_; }
  bool secure() const { return ssl_ != nullptr; }

  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    const auto attempt = [ssl = ssl_.get(), to = first_of<asio::mutable_buffer>(buffers)](size_t& done) {
      return SSL_read_ex(ssl, to.data(), to.size(), &done);
    };
    return ssl_ ? async_try(attempt, std::forward<Token>(token))
                : socket_.async_read_some(buffers, std::forward<Token>(token));
  }
  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    const auto attempt = [ssl = ssl_.get(), from = first_of<asio::const_buffer>(buffers)](size_t& done) {
      return SSL_write_ex(ssl, from.data(), from.size(), &done);
    };
    return ssl_ ? async_try(attempt, std::forward<Token>(token))
                : socket_.async_write_some(buffers, std::forward<Token>(token));
  }

 private:
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  template <typename Buffer, typename Buffers>
  static Buffer first_of(const Buffers& buffers) {
    for (auto at = asio::buffer_sequence_begin(buffers); at != asio::buffer_sequence_end(buffers); ++at) {
      if (Buffer(*at).size() > 0) return *at;
    }
    return Buffer();
  }

  // Tries, and waits for the socket, until it is done.
  template <typename Attempt, typename Token>
  auto async_try(Attempt attempt, Token&& token) {
    return asio::async_compose<Token, void(error_code, size_t)>(
        [this, attempt, initiating = true, finished = false, done = size_t{0}, result = error_code()](
            auto& self, error_code error = {}) mutable {
          if (finished) return self.complete(result, done);
          if (!error) {
            ERR_clear_error();
            const int answer = attempt(done);
            const int why = answer > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), answer);
            if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
              initiating = false;
              return socket_.async_wait(
                  why == SSL_ERROR_WANT_READ ? tcp::socket::wait_read : tcp::socket::wait_write,
                  std::move(self));
            }
            error = error_of(why);
          }
          finished = true;
          result = error;
          if (!initiating) return self.complete(result, done);
          // Never before whoever began it goes on.
          asio::post(socket_.get_executor(), std::move(self));
        },
        token, socket_);
  }

 public:
  // Of secure streams alone.
  awaitable<error_code> handshake() {
    const auto attempt = [ssl = ssl_.get()](size_t&) { return SSL_do_handshake(ssl); };
    const auto [error, none] = co_await async_try(attempt, kAwait);
    co_return error;
  }
  // Says that nothing more comes; what the client says to that is of no interest.
  void say_goodbye() {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
  }

 private:
  static error_code error_of(int why) {
    switch (why) {
      case SSL_ERROR_NONE:
        return {};
      case SSL_ERROR_ZERO_RETURN:
        return asio::error::eof;
      case SSL_ERROR_SSL:
        return {static_cast<int>(ERR_get_error()), asio::error::get_ssl_category()};
      default:
        return asio::error::connection_reset;
    }
  }

  tcp::socket socket_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
};

// What all connections share. Everything but the pools and the counts is used on the io thread alone.
struct Shared {
  explicit Shared(const ServerOptions& given)
      : options(given),
        pool(static_cast<size_t>(given.workers)),
        slow_pool(static_cast<size_t>(given.slow_workers)),
        connection_limit(given.connections) {}

  ServerOptions options;
  Router router;
  Networks trusted;
  TlsContext tls;
  asio::io_context io{1};
  asio::thread_pool pool;
  asio::thread_pool slow_pool;
  std::unordered_set<class Connection*> connections;
  size_t connection_limit;
  size_t streamed_bodies = 0;
  bool draining = false;
  std::atomic<size_t> connection_count = 0;
  std::atomic<size_t> stream_count = 0;
};

// Makes this thread a real-time one where the system allows it (root, or RLIMIT_RTPRIO of 1). Others wait for
// a core that an engine holds until the kernel's next tick, up to 4 ms. What this thread starts is ordinary
// again.
void come_first() {
  thread_local const int asked = [] {
    sched_param parameters{};
    parameters.sched_priority = 1;
    return ::sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &parameters);
  }();
  std::ignore = asked;
}

// Counts while it lives.
template <typename Counter>
class Counted {
 public:
  explicit Counted(Counter& counter) : counter_(counter) { ++counter_; }
  ~Counted() { --counter_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  Counter& counter_;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // `refused`: one too many, which is told so.
  Connection(Shared& shared, tcp::socket accepted, bool refused)
      : shared_(shared),
        stream_(std::move(accepted), shared.tls.get()),
        timer_(shared.io),
        events_timer_(shared.io),
        refused_(refused),
        counted_(shared.connection_count) {
    shared_.connections.insert(this);
    error_code error;
    const auto peer = socket().remote_endpoint(error);
    if (!error) peer_ = peer.address().to_string();
    const auto local = socket().local_endpoint(error);
    if (!error) local_ = local.address().to_string();
    std::ignore = socket().set_option(tcp::no_delay(true), error);
  }
  ~Connection() { shared_.connections.erase(this); }

  void start() {
    asio::co_spawn(
        shared_.io, [self = shared_from_this()]() -> awaitable<void> { co_await self->run(); },
        [self = shared_from_this()](const std::exception_ptr& error) {
          self->clear_deadline();
          if (!error) return;
          try {
            std::rethrow_exception(error);
          } catch (const std::exception& e) {
            log::error("http: a connection ended: {}", e.what());
          }
        });
  }

  // Ends it after the request in work; at once where none is.
  void drain() {
    draining_ = true;
    error_code ignored;
    if (idle_) std::ignore = socket().cancel(ignored);
    events_timer_.cancel();
  }
  void close() {
    error_code ignored;
    std::ignore = socket().close(ignored);
    events_timer_.cancel();
  }

 private:
  using Parser = beast::http::request_parser<beast::http::buffer_body>;

  tcp::socket& socket() { return stream_.socket(); }

  awaitable<void> run() {
    if (co_await begin()) {
      while (!draining_ && co_await one_request()) {
      }
    }
    if (stream_.secure() && !broken_) stream_.say_goodbye();
    error_code ignored;
    std::ignore = socket().shutdown(tcp::socket::shutdown_both, ignored);
    std::ignore = socket().close(ignored);
  }

  awaitable<bool> begin() {
    if (!stream_.secure()) co_return true;
    set_deadline(shared_.options.time.header);
    const error_code error = co_await stream_.handshake();
    clear_deadline();
    broken_ = bool(error);
    if (!broken_) co_return true;
    log::debug("http: no TLS with {}: {}", peer_, error.message());
    if (error == error_code(ERR_PACK(ERR_LIB_SSL, 0, SSL_R_HTTP_REQUEST), asio::error::get_ssl_category())) {
      static constexpr std::string_view kAnswer =
          "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n"
          "this port speaks TLS: ask by https://\n";
      set_deadline(limits::kLinger);
      co_await asio::async_write(socket(), asio::buffer(kAnswer), kAwait);
    }
    co_return false;
  }

  // ---- time limits

  void set_deadline(Clock::duration time) {
    timed_out_ = false;
    timer_.expires_after(time);
    timer_.async_wait([weak = weak_from_this()](const error_code& error) {
      const auto self = weak.lock();
      if (error || !self || self->timer_.expiry() > Clock::now()) return;
      self->timed_out_ = true;
      error_code ignored;
      std::ignore = self->socket().cancel(ignored);
    });
  }
  void clear_deadline() { timer_.cancel(); }

  // ---- one request

  // False: the connection is over.
  awaitable<bool> one_request() {
    if (!co_await wait_for_request()) co_return false;
    started_ = Clock::now();
    request_ = Request();
    request_.id = make_id("req", system_now_ms());
    request_.peer = peer_;
    route_ = nullptr;
    cors_origin_.clear();
    admitted_ = false;
    keep_alive_ = false;
    head_ = false;
    Received received = co_await receive();
    clear_deadline();
    if (received.gone) co_return false;
    if (received.problem) co_return co_await refuse(std::move(*received.problem), received.unread);
    asio::thread_pool& pool = received.route->slow ? shared_.slow_pool : shared_.pool;
    Answer answer = co_await on_pool<Answer>([this, route = received.route] { return handle(*route); }, pool);
    request_.receiver.reset();
    if (answer) {
      if (auto* awaited = std::get_if<std::shared_ptr<Awaited>>(&answer->body)) {
        std::optional<Answer> later = co_await wait_for(std::move(*awaited));
        if (!later) co_return false;
        answer = std::move(*later);
      }
    }
    if (!answer) co_return co_await refuse(std::move(answer).error(), false);
    co_return co_await send(std::move(*answer));
  }

  // Nothing where the client has gone. The connection ends with the answer: what looks whether the client is
  // there may have read of a next request.
  awaitable<std::optional<Answer>> wait_for(std::shared_ptr<Awaited> awaited) {
    keep_alive_ = false;
    watch_for_end();
    awaited->on_ready(waker());
    while (!client_gone_) {
      events_ready_ = false;
      std::optional<Answer> answer =
          co_await on_pool<std::optional<Answer>>([&] { return next_of(*awaited); });
      if (answer) co_return answer;
      if (draining_) {
        Problem problem(503, "the server is stopping; try again when it is back");
        problem.headers.emplace_back("Retry-After", "10");
        co_return fail(std::move(problem));
      }
      if (events_ready_ || client_gone_) continue;
      events_timer_.expires_after(limits::kEventComment);
      co_await events_timer_.async_wait(kAwait);
    }
    co_return std::nullopt;
  }
  std::optional<Answer> next_of(Awaited& awaited) {
    try {
      std::optional<Answer> answer = awaited.next();
      if (answer && *answer) encode(request_, **answer);
      return answer;
    } catch (const std::exception& error) {
      return fail(Problem(Error{ErrorCode::internal, "an answer threw", error.what()}));
    }
  }

  // A connection that waits keeps no buffer, but those of TLS.
  awaitable<bool> wait_for_request() {
    idle_ = true;
    if (buffer_.size() == 0) {
      buffer_ = beast::flat_buffer(limits::kHeaderBytes + limits::kTargetBytes);
      set_deadline(shared_.options.time.idle);
      if (stream_.secure()) {
        const auto [error, size] = co_await stream_.async_read_some(buffer_.prepare(512), kAwait);
        if (error) broken_ = error != asio::error::eof && !timed_out_;
        if (error || draining_) co_return false;
        buffer_.commit(size);
      } else {
        const auto [error] = co_await socket().async_wait(tcp::socket::wait_read, kAwait);
        if (error || draining_) co_return false;
      }
    }
    idle_ = false;
    co_return true;
  }

  struct Received {
    const Route* route = nullptr;
    std::optional<Problem> problem;
    bool unread = false;  // the rest of the request cannot be found, or is not worth it
    bool gone = false;    // nobody is there to be answered
  };
  // Reads a request whole. What it needs for that is given back when it returns.
  awaitable<Received> receive() {
    Parser parser;
    parser.header_limit(limits::kHeaderBytes);
    parser.body_limit(boost::none);
    set_deadline(shared_.options.time.header);
    const auto [error, size] = co_await beast::http::async_read_header(stream_, buffer_, parser, kAwait);
    if (error) co_return unreadable_head(error);
    take_head(parser.get());
    keep_alive_ = parser.get().keep_alive();
    Received result;
    result.unread = !parser.is_done();
    if (auto framed = check_framing(parser.get()); !framed) {
      co_return Received{nullptr, std::move(framed).error(), true};
    }
    if (parser.content_length()) request_.content_length = *parser.content_length();
    if (refused_) {
      Problem problem(503, "the server has too many connections; try again later");
      problem.headers.emplace_back("Retry-After", "5");
      co_return Received{nullptr, std::move(problem), true};
    }
    Outcome<const Route*> route = find_route(parser.get());
    if (!route) {
      result.problem = std::move(route).error();
      co_return result;
    }
    result.route = *route;
    if (result.unread) {
      Outcome<void> read = co_await read_body(**route, parser);
      if (!read) co_return Received{nullptr, std::move(read).error(), true};
      result.unread = false;
    } else if ((*route)->receive) {
      result.problem = Problem(400, "the request has no body");
    }
    co_return result;
  }

  Received unreadable_head(const error_code& error) const {
    if (timed_out_) return {nullptr, Problem(408, "the request's headers came too slowly"), false};
    if (error == beast::http::error::end_of_stream ||
        error.category() != beast::http::make_error_code(beast::http::error::bad_method).category()) {
      return {nullptr, std::nullopt, false, true};
    }
    const bool large =
        error == beast::http::error::header_limit || error == beast::http::error::buffer_overflow;
    return {nullptr,
            large ? Problem(431, "the request's headers are too large")
                  : Problem(400, "the request is not well formed HTTP"),
            true};
  }

  void take_head(const Parser::value_type& head) {
    request_.method = std::string(head.method_string());
    head_ = request_.method == "HEAD";
    if (head_) request_.method = "GET";
    for (const auto& field : head) {
      request_.headers.emplace_back(lower(field.name_string()), std::string(field.value()));
    }
    if (const auto id = request_.header("x-request-id"); id && is_request_id(*id)) request_.id = *id;
    const std::string_view target = head.target();
    request_.path = target.substr(0, target.find('?'));
  }

  // Where a proxy before this server could see another end of the request, or another host, than this server
  // does, a request could hide in another (RFC 9112, 11.2): nothing is guessed.
  Outcome<void> check_framing(const Parser::value_type& head) const {
    const auto count = [&](std::string_view name) {
      return std::count_if(request_.headers.begin(), request_.headers.end(),
                           [&](const auto& header) { return header.first == name; });
    };
    const auto coding = request_.header("transfer-encoding");
    const bool known = !coding || (head.version() == 11 && count("transfer-encoding") == 1 &&
                                   lower(trim(*coding)) == "chunked" && count("content-length") == 0);
    const std::string_view length = request_.header("content-length").value_or("0");
    const bool number = length.find_first_not_of("0123456789") == std::string_view::npos;
    if (!known || !number || count("content-length") > 1) {
      return fail(Problem(400, "the request says in more than one way, or an unknown one, where it ends"));
    }
    if (count("host") > 1) return fail(Problem(400, "the request names more than one Host"));
    const bool clean = std::all_of(request_.headers.begin(), request_.headers.end(), [](const auto& header) {
      return std::none_of(header.second.begin(), header.second.end(),
                          [](unsigned char c) { return (c < ' ' && c != '\t') || c == 127; });
    });
    if (!clean) return fail(Problem(400, "a header of the request has a character that it may not have"));
    return {};
  }

  Outcome<const Route*> find_route(const Parser::value_type& head) {
    std::string_view target = head.target();
    if (target.size() > limits::kTargetBytes) return fail(Problem(414, "the address is too long"));
    Caller caller = TRY(find_caller(request_, {peer_, stream_.secure() ? "https" : "http", host_of(target)},
                                    shared_.trusted));
    request_.peer = caller.peer;
    if (head.version() == 11 && !caller.host) return fail(Problem(400, "the request names no Host"));
    TRY(check_host(caller));
    find_cors_origin();
    const Outcome<void> own = check_origin(caller);
    if (!own && !follows_link()) return fail(own.error());
    const std::string_view coding = request_.header("content-encoding").value_or("identity");
    if (coding != "identity") return fail(Problem(415, "send the body as it is, without Content-Encoding"));
    if (const size_t host = host_start(target); host != std::string_view::npos) {
      target.remove_prefix(std::min(target.find_first_of("/?", host), target.size()));
    }
    request_.path = target.substr(0, target.find('?'));
    if (target.find('?') != std::string_view::npos) TRY(parse_query(target.substr(target.find('?') + 1)));
    const Route* route = TRY(match_route());
    // A link on a page of another origin may lead to what is for anyone: it brings a person, and that page
    // sees nothing.
    if (!own && route != shared_.router.fallback()) return fail(own.error());
    return route;
  }

  // Whether somebody comes here in a window of their own, as by a link: no frame, no form, no script.
  bool follows_link() const {
    return request_.method == "GET" && !head_ && !request_.header("origin") &&
           request_.header("sec-fetch-mode") == "navigate" && request_.header("sec-fetch-dest") == "document";
  }

  Outcome<const Route*> match_route() {
    std::string& path = request_.path;
    const std::string& base = shared_.options.base_path;
    if (!base.empty() && path.starts_with(base) && (path.size() == base.size() || path[base.size()] == '/')) {
      path.erase(0, base.size());
      if (path.empty()) path = "/";
    }
    Router::Match match = shared_.router.match(head_ ? "HEAD" : request_.method, path);
    if (match.malformed) return fail(Problem(400, "the address is not well formed"));
    if (match.route == nullptr) {
      if (match.allow.empty()) return match_nothing();
      if (request_.method == "OPTIONS") {
        request_.parameters = {std::move(match.allow)};
        admitted_ = true;  // this anyone may know
        return &options_route();
      }
      Problem problem(405, "this address does not take " + request_.method);
      problem.headers.emplace_back("Allow", match.allow);
      return fail(std::move(problem));
    }
    route_ = match.route;
    request_.parameters = std::move(match.parameters);
    return match.route;
  }

  Outcome<const Route*> match_nothing() {
    if (request_.method != "GET" || shared_.router.fallback() == nullptr) return fail(nothing_there());
    admitted_ = true;  // that nothing is there anyone may know
    return route_ = shared_.router.fallback();
  }

  // Says what an address takes. Pages of other origins may ask where cors_headers() says so.
  static const Route& options_route() {
    static const Route route{"OPTIONS", "", [](Request& request) -> Answer {
                               Response response;
                               response.status = 204;
                               return std::move(response.with("Allow", request.parameters.at(0)));
                             }};
    return route;
  }

  // A target with a host of its own, as a proxy is sent it, goes over the header (RFC 9112, 3.2.2).
  static size_t host_start(std::string_view target) {
    const std::string scheme = lower(target.substr(0, target.find("//")));
    return scheme == "http:" || scheme == "https:" ? scheme.size() + 2 : std::string_view::npos;
  }
  std::optional<std::string> host_of(std::string_view target) const {
    if (const size_t start = host_start(target); start != std::string_view::npos) {
      const std::string_view host = target.substr(start);
      return std::string(host.substr(0, host.find_first_of("/?#")));
    }
    const auto host = request_.header("host");
    return host ? std::optional<std::string>(*host) : std::nullopt;
  }

  // A name that leads here by a stranger's DNS must not make this server answer that stranger's page.
  Outcome<void> check_host(const Caller& caller) const {
    if (!caller.host) return {};
    const std::string name = lower(without_port(*caller.host));
    const auto& allowed = shared_.options.allowed_hosts;
    const bool known = names_this_machine(name) || name == local_ || name == "[" + local_ + "]" ||
                       std::find(allowed.begin(), allowed.end(), name) != allowed.end();
    if (!known) return fail(Problem(421, "this server is not asked by this Host; see HANSARD_ALLOWED_HOSTS"));
    return {};
  }

  void find_cors_origin() {
    const auto origin = request_.header("origin");
    const auto& known = shared_.options.cors_origins;
    if (origin && std::find(known.begin(), known.end(), *origin) != known.end()) cors_origin_ = *origin;
  }

  Outcome<void> check_origin(const Caller& caller) const {
    if (!shared_.options.refuse_foreign_origins || !cors_origin_.empty()) return {};
    const auto site = request_.header("sec-fetch-site");
    const auto origin = request_.header("origin");
    const bool foreign =
        (site && *site != "same-origin" && *site != "none") || (origin && !same_origin(*origin, caller));
    if (foreign) return fail(Problem(403, "requests from pages of another origin are refused"));
    return {};
  }

  Outcome<void> parse_query(std::string_view query) {
    while (!query.empty()) {
      const size_t end = std::min(query.find('&'), query.size());
      const std::string_view pair = query.substr(0, end);
      query.remove_prefix(std::min(end + 1, query.size()));
      if (pair.empty()) continue;
      const size_t equals = std::min(pair.find('='), pair.size());
      auto name = percent_decode(pair.substr(0, equals), true);
      auto value = percent_decode(pair.substr(std::min(equals + 1, pair.size())), true);
      if (!name || !value) return fail(Problem(400, "the query is not well formed"));
      request_.query.emplace_back(std::move(*name), std::move(*value));
    }
    return {};
  }

  Outcome<void> admit(const Route& route) {
    if (std::exchange(admitted_, true) || !shared_.router.guard()) return {};
    return shared_.router.guard()(route, request_);
  }

  Answer handle(const Route& route) {
    try {
      TRY(admit(route));
      if (request_.receiver) TRY(request_.receiver->finish());
      Answer answer = route.handler(request_);
      if (answer) encode(request_, *answer);
      return answer;
    } catch (const std::exception& error) {
      return fail(Problem(Error{ErrorCode::internal, "a handler threw", error.what()}));
    }
  }

  // ---- bodies

  awaitable<Outcome<void>> read_body(const Route& route, Parser& parser) {
    // Who may not ask is told so before a byte of the body is taken.
    Outcome<void> admitted = co_await on_pool<Outcome<void>>([&] { return admit(route); });
    if (!admitted) co_return fail(std::move(admitted).error());
    std::optional<Counted<size_t>> counted;
    if (route.receive) {
      if (shared_.streamed_bodies >= limits::kStreamedBodies) {
        Problem problem(503, "the server takes too many bodies at once; try again later");
        problem.headers.emplace_back("Retry-After", "5");
        co_return fail(std::move(problem));
      }
      counted.emplace(shared_.streamed_bodies);
      auto receiver =
          co_await on_pool<Outcome<std::shared_ptr<Receiver>>>([&] { return route.receive(request_); });
      if (!receiver) co_return fail(std::move(receiver).error());
      request_.receiver = std::move(*receiver);
    } else if (request_.content_length.value_or(0) > route.body_limit) {
      co_return fail(Problem(413, "the body is too large"));
    }
    if (lower(request_.header("expect").value_or("")) == "100-continue") {
      static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      const auto [error, size] = co_await asio::async_write(stream_, asio::buffer(kContinue), kAwait);
      if (error) co_return fail(Problem(408, "the connection ended"));
    }
    body_started_ = Clock::now();
    body_bytes_ = 0;
    if (request_.receiver) co_return co_await stream_body(parser);
    std::string piece(16 * 1024, '\0');
    while (!body_read(parser)) {
      const Outcome<size_t> size = co_await read_piece(parser, piece);
      if (!size) co_return fail(size.error());
      request_.body.append(piece, 0, *size);
      if (request_.body.size() > route.body_limit) co_return fail(Problem(413, "the body is too large"));
    }
    co_return Outcome<void>();
  }

  // The next piece is read while the one before is hashed and written.
  awaitable<Outcome<void>> stream_body(Parser& parser) {
    std::string reading(limits::kBodyPiece, '\0');
    std::string ready(limits::kBodyPiece, '\0');
    const Outcome<size_t> first = co_await read_piece(parser, ready);
    if (!first) co_return fail(first.error());
    size_t ready_size = *first;
    while (ready_size > 0) {
      Outcome<void> taken;
      Outcome<size_t> read = size_t{0};
      using namespace asio::experimental::awaitable_operators;
      co_await (take_piece(std::string_view(ready).substr(0, ready_size), taken) &&
                read_next(parser, reading, read));
      if (!taken) co_return fail(std::move(taken).error());
      if (!read) co_return fail(std::move(read).error());
      ready_size = *read;
      std::swap(reading, ready);
    }
    co_return Outcome<void>();
  }
  awaitable<void> take_piece(std::string_view bytes, Outcome<void>& taken) {
    taken = co_await on_pool<Outcome<void>>([&] { return request_.receiver->take(bytes); });
  }
  awaitable<void> read_next(Parser& parser, std::string& piece, Outcome<size_t>& read) {
    if (!body_read(parser)) read = co_await read_piece(parser, piece);
  }

  // Fills `piece`, less only at the body's end.
  awaitable<Outcome<size_t>> read_piece(Parser& parser, std::string& piece) {
    size_t filled = 0;
    while (!body_read(parser) && filled < piece.size()) {
      set_deadline(shared_.options.time.body_silence);
      const asio::mutable_buffer room(piece.data() + filled, piece.size() - filled);
      const auto [error, size] =
          co_await (request_.content_length ? read_plain(room) : read_chunks(parser, room));
      filled += size;
      body_bytes_ += size;
      const auto taken = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - body_started_);
      const bool crawls =
          taken > shared_.options.time.body_silence &&
          body_bytes_ * 1000 < static_cast<uint64_t>(taken.count()) * limits::kBodyBytesPerSecond;
      if (timed_out_ || crawls) co_return fail(Problem(408, "the body comes too slowly"));
      if (error) co_return fail(Problem(400, "the body breaks off or is not well formed"));
    }
    clear_deadline();
    co_return filled;
  }
  bool body_read(const Parser& parser) const {
    return request_.content_length ? body_bytes_ == *request_.content_length : parser.is_done();
  }

  // Some bytes of a body of known length, straight to where they are wanted: the parser would take them
  // through its small buffer, in many reads.
  using Some = std::pair<error_code, size_t>;
  awaitable<Some> read_plain(asio::mutable_buffer room) {
    room = asio::buffer(room, *request_.content_length - body_bytes_);
    if (buffer_.size() > 0) {
      const size_t size = asio::buffer_copy(room, buffer_.data());
      buffer_.consume(size);
      co_return Some(error_code(), size);
    }
    const auto [error, size] = co_await stream_.async_read_some(room, kAwait);
    co_return Some(error, size);
  }
  awaitable<Some> read_chunks(Parser& parser, asio::mutable_buffer room) {
    parser.get().body().data = room.data();
    parser.get().body().size = room.size();
    const auto [error, size] = co_await beast::http::async_read_some(stream_, buffer_, parser, kAwait);
    const bool full = error == beast::http::error::need_buffer;
    co_return Some(full ? error_code() : error, room.size() - parser.get().body().size);
  }

  template <typename T, typename F>
  awaitable<T> on_pool(F work) {
    return on_pool<T>(std::move(work), shared_.pool);
  }
  template <typename T, typename F>
  awaitable<T> on_pool(F work, asio::thread_pool& pool) {
    co_return co_await asio::co_spawn(
        pool.get_executor(),
        [work = std::move(work), quick = &pool == &shared_.pool]() mutable -> awaitable<T> {
          if (quick) come_first();
          co_return work();
        },
        asio::use_awaitable);
  }

  // ---- answers

  awaitable<bool> refuse(Problem problem, bool unread_body) {
    if (unread_body) keep_alive_ = false;
    request_.receiver.reset();
    if (!problem.detail.empty()) log::error("{}: {}", request_.id, problem.detail);
    Response response = route_ != nullptr && route_->refusal
                            ? route_->refusal(problem, request_.id)
                            : json_response(problem.status, problem_body(problem, request_.id));
    for (auto& header : problem.headers) response.headers.push_back(std::move(header));
    const bool more = co_await send(std::move(response));
    if (unread_body) co_await linger();
    co_return more;
  }

  // Closing a socket with unread bytes resets the connection, and the client may never read the answer.
  awaitable<void> linger() {
    if (stream_.secure() && !broken_) stream_.say_goodbye();
    broken_ = true;
    error_code ignored;
    std::ignore = socket().shutdown(tcp::socket::shutdown_send, ignored);
    set_deadline(limits::kLinger);
    std::string waste(64 * 1024, '\0');
    for (;;) {
      const auto [error, size] = co_await socket().async_read_some(asio::buffer(waste), kAwait);
      if (error || timed_out_) co_return;
    }
  }

  std::string head_of(const Response& response, std::optional<uint64_t> length) const {
    std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, status_phrase(response.status));
    head += fmt::format("Date: {}\r\nX-Request-ID: {}\r\nX-Content-Type-Options: nosniff\r\n",
                        http_date(system_now_ms()), request_.id);
    bool cached = false;
    bool has_policy = false;
    for (const auto& [name, value] : response.headers) {
      cached = cached || name == "Cache-Control" || name == "ETag";
      has_policy = has_policy || name == "Content-Security-Policy";
      head.append(name).append(": ");
      if (name == "Location" && value.starts_with('/')) head.append(shared_.options.base_path);
      head.append(value).append("\r\n");
    }
    if (!cached) head += "Cache-Control: no-store\r\n";
    // No page of anyone's shows an answer, or is shown in one.
    if (!has_policy) head += "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n";
    head += "X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n";
    if (stream_.secure()) head += "Strict-Transport-Security: max-age=31536000\r\n";
    head += cors_headers();
    const bool bodiless = response.status == 204 || response.status == 304;
    if (length && !bodiless) head += fmt::format("Content-Length: {}\r\n", *length);
    head += keep_alive_ ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
    return head;
  }

  // The rules by which browsers let pages of other origins ask (fetch.spec.whatwg.org, CORS protocol).
  std::string cors_headers() const {
    if (shared_.options.cors_origins.empty()) return "Cross-Origin-Resource-Policy: same-origin\r\n";
    std::string head = "Cross-Origin-Resource-Policy: cross-origin\r\nVary: Origin\r\n";
    if (cors_origin_.empty()) return head;
    head += "Access-Control-Allow-Origin: " + cors_origin_ + "\r\n";
    if (request_.method != "OPTIONS") {
      return head +
             "Access-Control-Expose-Headers: Content-Range, ETag, Location, Retry-After, X-Request-ID\r\n";
    }
    return head +
           "Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE\r\n"
           "Access-Control-Allow-Headers: Authorization, X-API-Key, Content-Type, Idempotency-Key, If-Match, "
           "If-None-Match, If-Range, Last-Event-ID, Range, X-Request-ID\r\n"
           "Access-Control-Max-Age: 600\r\n";
  }

  awaitable<bool> send(Response response) {
    keep_alive_ = keep_alive_ && !draining_;
    const bool bodiless = head_ || response.status == 204 || response.status == 304;
    bool sent = false;
    uint64_t length = 0;
    if (auto* text = std::get_if<std::string>(&response.body)) {
      length = text->size();
      std::string head = head_of(response, length);
      if (!bodiless) head += *text;
      sent = co_await write(head);
    } else if (auto* file = std::get_if<FileBody>(&response.body)) {
      length = file->length;
      sent = co_await write(head_of(response, length));
      if (sent && !bodiless) sent = co_await send_file(*file);
    } else {
      keep_alive_ = false;
      auto source = std::move(std::get<std::shared_ptr<EventSource>>(response.body));
      sent = co_await write(head_of(response, std::nullopt));
      report(response.status, 0);
      if (sent && !bodiless) co_await stream_events(*source);
      co_return false;
    }
    report(response.status, bodiless ? 0 : length);
    co_return sent&& keep_alive_;
  }

  // Piece by piece, each with its time: one byte now and then holds no connection.
  awaitable<bool> write(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::string_view piece = bytes.substr(0, limits::kWritePiece);
      set_deadline(shared_.options.time.write_silence);
      const auto [error, size] = co_await asio::async_write(stream_, asio::buffer(piece), kAwait);
      broken_ = bool(error);
      if (error) co_return false;
      bytes.remove_prefix(piece.size());
    }
    clear_deadline();
    co_return true;
  }

  awaitable<bool> send_file(const FileBody& file) {
    if (stream_.secure()) co_return co_await copy_file(file);
    socket().native_non_blocking(true);
    // Disks may let wait, so a worker does it; what it writes to stays open meanwhile.
    const UniqueFd out(::dup(socket().native_handle()));
    auto offset = static_cast<off_t>(file.offset);
    uint64_t left = file.length;
    while (left > 0) {
      int error_number = 0;
      const ssize_t n = co_await on_pool<ssize_t>([&] {
        const ssize_t sent = ::sendfile(out.get(), file.fd.get(), &offset, std::min<uint64_t>(left, 1 << 20));
        error_number = errno;
        return sent;
      });
      if (!socket().is_open()) co_return false;
      if (n > 0) {
        left -= static_cast<uint64_t>(n);
        continue;
      }
      if (n == 0 || (error_number != EAGAIN && error_number != EINTR)) co_return false;
      set_deadline(shared_.options.time.write_silence);
      const auto [error] = co_await socket().async_wait(tcp::socket::wait_write, kAwait);
      if (error) co_return false;
      clear_deadline();
    }
    co_return true;
  }

  awaitable<bool> copy_file(const FileBody& file) {
    std::string piece(limits::kWritePiece, '\0');
    for (uint64_t done = 0; done < file.length;) {
      const size_t size = std::min<uint64_t>(piece.size(), file.length - done);
      const ssize_t n = co_await on_pool<ssize_t>(
          [&] { return ::pread(file.fd.get(), piece.data(), size, static_cast<off_t>(file.offset + done)); });
      if (n <= 0 || !co_await write(std::string_view(piece).substr(0, static_cast<size_t>(n)))) {
        co_return false;
      }
      done += static_cast<uint64_t>(n);
    }
    co_return true;
  }

  // Whoever reads a stream writes nothing: what can be read is the end.
  void watch_for_end() {
    client_gone_ = false;
    const auto gone = [self = shared_from_this()](const error_code&, size_t = 0) {
      self->client_gone_ = true;
      self->events_timer_.cancel();
    };
    if (stream_.secure()) {
      stream_.async_read_some(asio::buffer(&ignored_byte_, 1), gone);
    } else {
      socket().async_wait(tcp::socket::wait_read, gone);
    }
  }

  // Makes this connection look again at what it waits for.
  std::function<void()> waker() {
    return [&io = shared_.io, weak = weak_from_this()] {
      asio::post(io, [weak] {
        const auto self = weak.lock();
        if (!self) return;
        self->events_ready_ = true;
        self->events_timer_.cancel();
      });
    };
  }

  awaitable<void> stream_events(EventSource& source) {
    const Counted counted(shared_.stream_count);
    buffer_ = beast::flat_buffer();
    request_ = Request();
    watch_for_end();
    source.on_ready(waker());
    for (bool writes = true; writes && !client_gone_ && !draining_;) {
      events_ready_ = false;
      const EventSource::Next next =
          source.waits() ? co_await on_pool<EventSource::Next>([&] { return source.next(); }) : source.next();
      if (!next.text.empty()) {
        writes = co_await write(next.text);
        if (next.ended) break;
        continue;
      }
      if (next.ended) break;
      if (events_ready_ || client_gone_ || draining_) continue;
      events_timer_.expires_after(limits::kEventComment);
      const auto [error] = co_await events_timer_.async_wait(kAwait);
      if (!error) writes = co_await write(":\n\n");
    }
  }

  void report(int status, uint64_t bytes) const {
    const std::chrono::duration<double, std::milli> time = Clock::now() - started_;
    const std::string_view method = head_ ? "HEAD" : std::string_view(request_.method);
    const std::string_view route = route_ == nullptr ? std::string_view() : route_->pattern;
    if (shared_.options.on_answer) shared_.options.on_answer({method, route, status, time});
    if (log::level() > log::Level::info) return;
    json::bj::object line{{"time", format_time(system_now_ms())}, {"request_id", request_.id}};
    line["method"] = method;
    line["path"] = request_.path;
    line["status"] = status;
    line["ms"] = json::rounded(time.count(), 1);
    line["bytes"] = bytes;
    line["peer"] = request_.peer;
    log::write(log::Level::info, json::to_text(line));
  }

  Shared& shared_;
  Stream stream_;
  asio::steady_timer timer_;
  asio::steady_timer events_timer_;
  beast::flat_buffer buffer_;
  std::string peer_;
  std::string local_;  // the address it came to
  Request request_;
  const Route* route_ = nullptr;  // of the request, once it is known
  std::string cors_origin_;       // of the request, where the configuration names it
  bool admitted_ = false;         // the guard has looked
  Clock::time_point started_;
  Clock::time_point body_started_;
  uint64_t body_bytes_ = 0;
  const bool refused_;
  bool broken_ = false;  // nothing more can be written
  bool timed_out_ = false;
  bool keep_alive_ = false;
  bool head_ = false;
  bool idle_ = true;
  bool draining_ = false;
  bool client_gone_ = false;
  bool events_ready_ = false;
  char ignored_byte_ = 0;
  const Counted<std::atomic<size_t>> counted_;
};

// Raises the limit of descriptors as far as connections need it, and says for how many it is enough.
size_t make_room(size_t connections) {
  rlimit files = {};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return connections;
  const rlim_t wanted = connections + limits::kRefusedConnections + limits::kOtherDescriptors;
  if (files.rlim_cur < wanted) {
    files.rlim_cur = std::min(wanted, files.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  if (files.rlim_cur >= wanted) return connections;
  const size_t others =
      std::min<size_t>(limits::kRefusedConnections + limits::kOtherDescriptors, files.rlim_cur / 2);
  log::warning("http: {} descriptors are allowed here, so {} connections are taken at once", files.rlim_cur,
               files.rlim_cur - others);
  return files.rlim_cur - others;
}

tl::unexpected<Error> not_allowed(std::string_view setting, std::string_view value,
                                  std::string_view allowed) {
  return fail(ErrorCode::invalid_request,
              fmt::format("{} is \"{}\"; allowed is {}", setting, value, allowed));
}

// "/hansard": segments of letters, digits and -._~, each with a slash before it.
bool is_base_path(std::string_view path) {
  if (path.empty()) return true;
  if (!path.starts_with('/') || path.ends_with('/') || path.find("//") != std::string_view::npos)
    return false;
  const bool plain = std::all_of(path.begin(), path.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("/-._~").find(static_cast<char>(c)) != std::string_view::npos;
  });
  std::string_view rest = path.substr(1);
  while (plain && !rest.empty()) {
    const std::string_view segment = take_element(rest, '/');
    if (segment == "." || segment == "..") return false;
  }
  return plain;
}

class BeastServer final : public Server {
 public:
  BeastServer(const ServerOptions& options, Router router) : shared_(options) {
    shared_.router = std::move(router);
  }

  // NOLINTNEXTLINE(bugprone-exception-escape): without memory for this there is nothing left to do
  ~BeastServer() override {
    asio::post(shared_.io, [this] { close_all(); });
    drain(std::chrono::milliseconds(0));
  }

  Result<void> bind() {
    const ServerOptions& options = shared_.options;
    if (!is_base_path(options.base_path)) {
      return not_allowed("HANSARD_BASE_PATH", options.base_path,
                         "a path as in /hansard, without a slash at its end, or nothing");
    }
    auto trusted = Networks::parse(options.trusted_proxies);
    if (!trusted) {
      return fail(ErrorCode::invalid_request, "HANSARD_TRUSTED_PROXIES: " + trusted.error().message);
    }
    shared_.trusted = std::move(*trusted);
    if (options.tls.given()) shared_.tls = TRY(load_tls(options.tls));
    error_code error;
    const auto address = asio::ip::make_address(options.host, error);
    if (error) {
      return not_allowed("HANSARD_HOST", options.host, "an address, such as 127.0.0.1");
    }
    const tcp::endpoint endpoint(address, options.port);
    std::ignore = acceptor_.open(endpoint.protocol(), error);
    if (!error) std::ignore = acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) std::ignore = acceptor_.bind(endpoint, error);
    if (!error) std::ignore = acceptor_.listen(1024, error);
    if (error == asio::error::address_in_use) {
      return fail(
          ErrorCode::conflict,
          fmt::format("port {} of {} is in use; choose another with --port or HANSARD_PORT, or end the "
                      "program that has it",
                      options.port, options.host));
    }
    if (error == asio::error::access_denied) {
      return fail(ErrorCode::permission_denied,
                  fmt::format("port {} may not be used by this user; choose one above 1023", options.port));
    }
    if (error) {
      return fail(ErrorCode::invalid_request, fmt::format("cannot listen on {} port {}: {}", options.host,
                                                          options.port, error.message()));
    }
    port_ = acceptor_.local_endpoint().port();
    return {};
  }

  uint16_t port() const override { return port_; }

  void start() override {
    shared_.connection_limit = make_room(shared_.options.connections);
    asio::co_spawn(shared_.io, accept(), asio::detached);
    thread_ = std::jthread([this] {
      // OpenSSL writes to sockets whose client is gone.
      sigset_t pipe;
      sigemptyset(&pipe);
      sigaddset(&pipe, SIGPIPE);
      pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
      come_first();
      const auto work = asio::make_work_guard(shared_.io);
      shared_.io.run();
    });
  }

  Result<void> reload_tls() override {
    if (!shared_.options.tls.given()) return {};
    // Connections hold what they are made of, so the old one lives as long as they do.
    auto fresh = std::make_shared<TlsContext>(TRY(load_tls(shared_.options.tls)));
    asio::post(shared_.io, [this, fresh] { shared_.tls = std::move(*fresh); });
    return {};
  }

  Load load() const override { return {shared_.connection_count, shared_.stream_count}; }

  void drain(std::chrono::milliseconds patience) override {
    if (!thread_.joinable()) return;
    asio::post(shared_.io, [this] {
      error_code ignored;
      std::ignore = acceptor_.close(ignored);
      shared_.draining = true;
      const std::vector<Connection*> all(shared_.connections.begin(), shared_.connections.end());
      for (Connection* connection : all) connection->drain();
    });
    const auto deadline = Clock::now() + patience;
    while (Clock::now() < deadline && open_connections() > 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    asio::post(shared_.io, [this] { close_all(); });
    // Handlers end by themselves; their connections see closed sockets then. The pool must run until the last
    // of them is gone.
    while (open_connections() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    shared_.pool.join();
    shared_.slow_pool.join();
    shared_.io.stop();
    thread_.join();
  }

 private:
  size_t open_connections() {
    std::promise<size_t> count;
    asio::post(shared_.io, [&] { count.set_value(shared_.connections.size()); });
    return count.get_future().get();
  }

  void close_all() {
    const std::vector<Connection*> all(shared_.connections.begin(), shared_.connections.end());
    for (Connection* connection : all) connection->close();
  }

  awaitable<void> accept() {
    while (acceptor_.is_open()) {
      auto [error, socket] = co_await acceptor_.async_accept(kAwait);
      if (error == asio::error::operation_aborted || error == asio::error::bad_descriptor) co_return;
      if (error) {
        // Out of descriptors, most likely: it passes when connections end.
        asio::steady_timer wait(shared_.io, std::chrono::milliseconds(50));
        co_await wait.async_wait(kAwait);
        continue;
      }
      const size_t open = shared_.connections.size();
      if (open >= shared_.connection_limit + limits::kRefusedConnections) continue;  // closed at once
      std::make_shared<Connection>(shared_, std::move(socket), open >= shared_.connection_limit)->start();
    }
  }

  Shared shared_;
  tcp::acceptor acceptor_{shared_.io};
  uint16_t port_ = 0;
  std::jthread thread_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::open(const ServerOptions& options, Router router) {
  auto server = std::make_unique<BeastServer>(options, std::move(router));
  TRY(server->bind());
  return server;
}

}  // namespace hansard::http
