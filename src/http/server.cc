#include "http/server.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>
#include <tuple>
#include <unordered_set>

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <fmt/format.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "http/compress.h"
#include "http/field.h"
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

// "[::1]:8080" → "[::1]"
std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

bool is_request_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < 127; });
}

// What all connections share. Everything but `pool` is used on the io thread alone.
struct Shared {
  ServerOptions options;
  Router router;
  asio::io_context io{1};
  asio::thread_pool pool{limits::kHttpWorkers};
  asio::thread_pool slow_pool{limits::kHttpSlowWorkers};
  std::unordered_set<class Connection*> connections;
  bool draining = false;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Shared& shared, tcp::socket socket)
      : shared_(shared), socket_(std::move(socket)), timer_(shared.io), events_timer_(shared.io) {
    shared_.connections.insert(this);
    error_code error;
    const auto peer = socket_.remote_endpoint(error);
    if (!error) peer_ = peer.address().to_string();
    std::ignore = socket_.set_option(tcp::no_delay(true), error);
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
    if (idle_) std::ignore = socket_.cancel(ignored);
    events_timer_.cancel();
  }
  void close() {
    error_code ignored;
    std::ignore = socket_.close(ignored);
    events_timer_.cancel();
  }
  bool busy() const { return !idle_; }

 private:
  using Parser = beast::http::request_parser<beast::http::buffer_body>;

  awaitable<void> run() {
    while (!draining_ && co_await one_request()) {
    }
    error_code ignored;
    std::ignore = socket_.shutdown(tcp::socket::shutdown_both, ignored);
    std::ignore = socket_.close(ignored);
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
      std::ignore = self->socket_.cancel(ignored);
    });
  }
  void clear_deadline() { timer_.cancel(); }

  // ---- one request

  // False: the connection is over.
  awaitable<bool> one_request() {
    idle_ = true;
    if (buffer_.size() == 0) {
      buffer_ = beast::flat_buffer(limits::kHeaderBytes + limits::kTargetBytes);
      set_deadline(shared_.options.time.idle);
      const auto [error] = co_await socket_.async_wait(tcp::socket::wait_read, kAwait);
      if (error || draining_) co_return false;
    }
    idle_ = false;
    started_ = Clock::now();
    request_ = Request();
    request_.id = make_id("req", system_now_ms());
    request_.peer = peer_;
    route_name_ = {};
    keep_alive_ = false;
    head_ = false;

    Parser parser;
    parser.header_limit(limits::kHeaderBytes);
    parser.body_limit(boost::none);
    set_deadline(shared_.options.time.header);
    const auto [error, size] = co_await beast::http::async_read_header(socket_, buffer_, parser, kAwait);
    if (error) {
      if (timed_out_) co_return co_await refuse(Problem(408, "the request's headers came too slowly"), false);
      if (error == beast::http::error::end_of_stream ||
          error.category() != beast::http::make_error_code(beast::http::error::bad_method).category()) {
        co_return false;
      }
      const bool large =
          error == beast::http::error::header_limit || error == beast::http::error::buffer_overflow;
      co_return co_await refuse(large ? Problem(431, "the request's headers are too large")
                                      : Problem(400, "the request is not well formed HTTP"),
                                true);
    }
    take_head(parser.get());
    keep_alive_ = parser.get().keep_alive();
    request_.content_length =
        parser.content_length() ? std::optional<uint64_t>(*parser.content_length()) : std::nullopt;

    Outcome<const Route*> route = find_route(parser.get());
    const bool has_body = !parser.is_done();
    if (!route) co_return co_await refuse(std::move(route).error(), has_body);
    if (has_body) {
      Outcome<void> read = co_await read_body(**route, parser);
      if (!read) co_return co_await refuse(std::move(read).error(), true);
    } else if ((*route)->receive) {
      co_return co_await refuse(Problem(400, "the request has no body"), false);
    }
    clear_deadline();
    asio::thread_pool& pool = (*route)->slow ? shared_.slow_pool : shared_.pool;
    Answer answer = co_await on_pool<Answer>([this, &route] { return handle(**route); }, pool);
    request_.receiver.reset();
    if (!answer) co_return co_await refuse(std::move(answer).error(), false);
    co_return co_await send(std::move(*answer));
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

  Outcome<const Route*> find_route(const Parser::value_type& head) {
    const std::string_view target = head.target();
    if (target.size() > limits::kTargetBytes) return fail(Problem(414, "the address is too long"));
    TRY(check_host(head));
    TRY(check_origin());
    if (target.find('?') != std::string_view::npos) TRY(parse_query(target.substr(target.find('?') + 1)));
    std::string_view path = request_.path;
    if (!shared_.options.base_path.empty() && path.starts_with(shared_.options.base_path)) {
      path.remove_prefix(shared_.options.base_path.size());
    }
    Router::Match match = shared_.router.match(head_ ? "HEAD" : request_.method, path);
    if (match.malformed) return fail(Problem(400, "the address is not well formed"));
    if (match.route == nullptr) {
      if (match.allow.empty()) return fail(Problem(404, "there is nothing at this address"));
      Problem problem(405, "this address does not take " + request_.method);
      problem.headers.emplace_back("Allow", match.allow);
      return fail(std::move(problem));
    }
    route_name_ = match.route->pattern;
    request_.parameters = std::move(match.parameters);
    return match.route;
  }

  // A name that leads here by a stranger's DNS must not make this server answer that stranger's page.
  Outcome<void> check_host(const Parser::value_type& head) const {
    const auto host = request_.header("host");
    if (!host) {
      if (head.version() < 11) return {};
      return fail(Problem(400, "the request names no Host"));
    }
    const std::string name = lower(without_port(*host));
    const auto& allowed = shared_.options.allowed_hosts;
    const bool known = name == "localhost" || name == "127.0.0.1" || name == "[::1]" ||
                       name == shared_.options.host || name == "[" + shared_.options.host + "]" ||
                       std::find(allowed.begin(), allowed.end(), name) != allowed.end();
    if (!known) return fail(Problem(421, "this server is not asked by this Host; see HANSARD_ALLOWED_HOSTS"));
    return {};
  }

  Outcome<void> check_origin() const {
    if (!shared_.options.refuse_foreign_origins) return {};
    const auto foreign = [] {
      return fail(Problem(403, "requests from pages of another origin are refused"));
    };
    const auto site = request_.header("sec-fetch-site");
    if (site && *site != "same-origin" && *site != "none") return foreign();
    const auto origin = request_.header("origin");
    if (!origin) return {};
    const size_t scheme_end = origin->find("://");
    if (scheme_end == std::string_view::npos) return foreign();  // "null"
    if (lower(origin->substr(scheme_end + 3)) != lower(request_.header("host").value_or("")))
      return foreign();
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

  Answer handle(const Route& route) {
    try {
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
    if (route.receive) {
      auto receiver =
          co_await on_pool<Outcome<std::shared_ptr<Receiver>>>([&] { return route.receive(request_); });
      if (!receiver) co_return fail(std::move(receiver).error());
      request_.receiver = std::move(*receiver);
    } else if (request_.content_length.value_or(0) > route.body_limit) {
      co_return fail(Problem(413, "the body is too large"));
    }
    if (lower(request_.header("expect").value_or("")) == "100-continue") {
      static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      const auto [error, size] = co_await asio::async_write(socket_, asio::buffer(kContinue), kAwait);
      if (error) co_return fail(Problem(408, "the connection ended"));
    }
    body_started_ = Clock::now();
    body_bytes_ = 0;
    if (request_.receiver) co_return co_await stream_body(parser);
    std::string piece(16 * 1024, '\0');
    while (!parser.is_done()) {
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
    if (!parser.is_done()) read = co_await read_piece(parser, piece);
  }

  // Fills `piece`, less only at the body's end.
  awaitable<Outcome<size_t>> read_piece(Parser& parser, std::string& piece) {
    size_t filled = 0;
    while (!parser.is_done() && filled < piece.size()) {
      parser.get().body().data = piece.data() + filled;
      parser.get().body().size = piece.size() - filled;
      set_deadline(shared_.options.time.body_silence);
      auto [error, size] = co_await beast::http::async_read_some(socket_, buffer_, parser, kAwait);
      if (error == beast::http::error::need_buffer) error = {};
      const size_t left = parser.get().body().size;
      body_bytes_ += piece.size() - filled - left;
      filled = piece.size() - left;
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

  template <typename T, typename F>
  awaitable<T> on_pool(F work) {
    return on_pool<T>(std::move(work), shared_.pool);
  }
  template <typename T, typename F>
  awaitable<T> on_pool(F work, asio::thread_pool& pool) {
    co_return co_await asio::co_spawn(
        pool.get_executor(), [work = std::move(work)]() mutable -> awaitable<T> { co_return work(); },
        asio::use_awaitable);
  }

  // ---- answers

  awaitable<bool> refuse(Problem problem, bool unread_body) {
    if (unread_body) keep_alive_ = false;
    request_.receiver.reset();
    if (!problem.detail.empty()) log::error("{}: {}", request_.id, problem.detail);
    Response response = json_response(problem.status, problem_body(problem, request_.id));
    for (auto& header : problem.headers) response.headers.push_back(std::move(header));
    const bool more = co_await send(std::move(response));
    if (unread_body) co_await linger();
    co_return more;
  }

  // Closing a socket with unread bytes resets the connection, and the client may never read the answer.
  awaitable<void> linger() {
    error_code ignored;
    std::ignore = socket_.shutdown(tcp::socket::shutdown_send, ignored);
    set_deadline(limits::kLinger);
    std::string waste(64 * 1024, '\0');
    for (;;) {
      const auto [error, size] = co_await socket_.async_read_some(asio::buffer(waste), kAwait);
      if (error || timed_out_) co_return;
    }
  }

  std::string head_of(const Response& response, std::optional<uint64_t> length) const {
    std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, status_phrase(response.status));
    head += fmt::format("Date: {}\r\nX-Request-ID: {}\r\nX-Content-Type-Options: nosniff\r\n",
                        http_date(system_now_ms()), request_.id);
    bool cached = false;
    for (const auto& [name, value] : response.headers) {
      cached = cached || name == "Cache-Control" || name == "ETag";
      head.append(name).append(": ").append(value).append("\r\n");
    }
    if (!cached) head += "Cache-Control: no-store\r\n";
    const bool bodiless = response.status == 204 || response.status == 304;
    if (length && !bodiless) head += fmt::format("Content-Length: {}\r\n", *length);
    head += keep_alive_ ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
    return head;
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

  awaitable<bool> write(std::string_view bytes) {
    while (!bytes.empty()) {
      set_deadline(shared_.options.time.write_silence);
      const auto [error, size] = co_await socket_.async_write_some(asio::buffer(bytes), kAwait);
      if (error) co_return false;
      bytes.remove_prefix(size);
    }
    clear_deadline();
    co_return true;
  }

  awaitable<bool> send_file(const FileBody& file) {
    auto offset = static_cast<off_t>(file.offset);
    uint64_t left = file.length;
    socket_.native_non_blocking(true);
    while (left > 0) {
      const ssize_t n =
          ::sendfile(socket_.native_handle(), file.fd.get(), &offset, std::min<uint64_t>(left, 1 << 20));
      if (n > 0) {
        left -= static_cast<uint64_t>(n);
        continue;
      }
      if (n == 0 || (errno != EAGAIN && errno != EINTR)) co_return false;
      set_deadline(shared_.options.time.write_silence);
      const auto [error] = co_await socket_.async_wait(tcp::socket::wait_write, kAwait);
      if (error) co_return false;
    }
    clear_deadline();
    co_return true;
  }

  awaitable<void> stream_events(EventSource& source) {
    buffer_ = beast::flat_buffer();
    request_ = Request();
    streaming_ = true;
    bool gone = false;
    // Whoever reads a stream writes nothing: what can be read is the end.
    socket_.async_wait(tcp::socket::wait_read, [weak = weak_from_this(), &gone](const error_code&) {
      const auto self = weak.lock();
      if (!self || !self->streaming_) return;
      gone = true;
      self->events_timer_.cancel();
    });
    source.on_ready([&io = shared_.io, weak = weak_from_this()] {
      asio::post(io, [weak] {
        const auto self = weak.lock();
        if (!self) return;
        self->events_ready_ = true;
        self->events_timer_.cancel();
      });
    });
    for (bool writes = true; writes && !gone && !draining_;) {
      events_ready_ = false;
      const EventSource::Next next = source.next();
      if (!next.text.empty()) {
        writes = co_await write(next.text);
        if (next.ended) break;
        continue;
      }
      if (next.ended) break;
      if (events_ready_) continue;
      events_timer_.expires_after(limits::kEventComment);
      const auto [error] = co_await events_timer_.async_wait(kAwait);
      if (!error) writes = co_await write(":\n\n");
    }
    streaming_ = false;
  }

  void report(int status, uint64_t bytes) const {
    if (log::level() > log::Level::info) return;
    const double ms = std::chrono::duration<double, std::milli>(Clock::now() - started_).count();
    json::bj::object line{{"time", format_time(system_now_ms())}, {"request_id", request_.id}};
    line["method"] = head_ ? "HEAD" : request_.method;
    line["path"] = request_.path;
    line["status"] = status;
    line["ms"] = json::rounded(ms, 1);
    line["bytes"] = bytes;
    line["peer"] = request_.peer;
    log::write(log::Level::info, json::to_text(line));
  }

  Shared& shared_;
  tcp::socket socket_;
  asio::steady_timer timer_;
  asio::steady_timer events_timer_;
  beast::flat_buffer buffer_;
  std::string peer_;
  Request request_;
  std::string_view route_name_;
  Clock::time_point started_;
  Clock::time_point body_started_;
  uint64_t body_bytes_ = 0;
  bool timed_out_ = false;
  bool keep_alive_ = false;
  bool head_ = false;
  bool idle_ = true;
  bool draining_ = false;
  bool streaming_ = false;
  bool events_ready_ = false;
};

class BeastServer final : public Server {
 public:
  explicit BeastServer(Router router) { shared_.router = std::move(router); }

  // NOLINTNEXTLINE(bugprone-exception-escape): without memory for this there is nothing left to do
  ~BeastServer() override {
    asio::post(shared_.io, [this] { close_all(); });
    drain(std::chrono::milliseconds(0));
  }

  Result<void> bind(const ServerOptions& options) {
    shared_.options = options;
    error_code error;
    const auto address = asio::ip::make_address(options.host, error);
    if (error) {
      return fail(
          ErrorCode::invalid_request,
          fmt::format("HANSARD_HOST is \"{}\"; allowed is an address, such as 127.0.0.1", options.host));
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
    // Each connection is a descriptor.
    rlimit files = {};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
      files.rlim_cur = files.rlim_max;
      ::setrlimit(RLIMIT_NOFILE, &files);
    }
    asio::co_spawn(shared_.io, accept(), asio::detached);
    thread_ = std::jthread([this] {
      const auto work = asio::make_work_guard(shared_.io);
      shared_.io.run();
    });
  }

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
    // Handlers end by themselves; their connections see closed sockets then.
    shared_.pool.join();
    shared_.slow_pool.join();
    while (open_connections() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
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
      if (shared_.connections.size() >= limits::kConnections) continue;  // closed at once
      std::make_shared<Connection>(shared_, std::move(socket))->start();
    }
  }

  Shared shared_;
  tcp::acceptor acceptor_{shared_.io};
  uint16_t port_ = 0;
  std::jthread thread_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::open(const ServerOptions& options, Router router) {
  auto server = std::make_unique<BeastServer>(std::move(router));
  TRY(server->bind(options));
  return server;
}

}  // namespace hansard::http
