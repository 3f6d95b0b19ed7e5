// The page for people, which `web/` becomes: a document that starts a program in the browser, and the files
// of that. It asks what everyone asks, the routes of the contract, and has no address of its own but those
// that nobody else has.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "http/router.h"

namespace hansard::page {

struct File {
  std::string_view path;  // "/assets/index-BelRg0zk.js": what lies in assets/ never changes, its name does
  std::string_view media_type;
  std::string_view etag;  // with its quotes
  std::string_view bytes;
  std::string_view gzip;  // the same; empty where compressing gains nothing
};

struct Built {
  // Of text/html: {{base}} stands for the path below which all is found, {{accounts}} for whether people log
  // in
  // ("required") or not ("none"), {{nonce}} for what allows this one answer to have styles of its own.
  std::string_view document;
  std::span<const File> files;
};

// What make_page.py made.
extern const Built kBuilt;

struct Site {
  std::string base_path;  // as of http::ServerOptions
  bool accounts = true;   // people log in
};

// Gives the files at their paths, and the document to whoever asks for HTML, at every address that begins as
// no route of the router does: to be called when they are all there. For anyone.
void add_page(http::Router& router, const Site& site, const Built& built = kBuilt);

}  // namespace hansard::page
