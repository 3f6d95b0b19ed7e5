# The parts Hansard is built from: Debian's libraries through their own CMake or pkg-config files, and
# those that deps/fetch brings into HANSARD_DEPS_DIR.

if(DEFINED ENV{HANSARD_DEPS_DIR})
  set(_deps_default $ENV{HANSARD_DEPS_DIR})
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(_deps_default $ENV{XDG_CACHE_HOME}/hansard-deps)
else()
  set(_deps_default $ENV{HOME}/.cache/hansard-deps)
endif()
set(HANSARD_DEPS_DIR ${_deps_default} CACHE PATH "Folder that deps/fetch fills")

set(HANSARD_BUILD_MODEL_PATH ${HANSARD_DEPS_DIR}/models CACHE PATH "Folder of models that the program looks into by default")

# hansard_part(TARGET FOLDER LIBRARY): an imported shared library under HANSARD_DEPS_DIR.
function(hansard_part target folder library)
  set(dir ${HANSARD_DEPS_DIR}/${folder})
  if(NOT EXISTS ${dir}/lib/${library})
    message(FATAL_ERROR "${folder} is missing from ${HANSARD_DEPS_DIR}. Run deps/fetch build.")
  endif()
  add_library(${target} SHARED IMPORTED GLOBAL)
  set_target_properties(${target} PROPERTIES
    IMPORTED_LOCATION ${dir}/lib/${library}
    INTERFACE_INCLUDE_DIRECTORIES ${dir}/include)
endfunction()

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(ZLIB REQUIRED)
# Its own CMake file asks for a web server, which is not used.
find_library(PROMETHEUS_CPP_CORE prometheus-cpp-core REQUIRED)
add_library(prometheus-cpp-core INTERFACE IMPORTED GLOBAL)
target_link_libraries(prometheus-cpp-core INTERFACE ${PROMETHEUS_CPP_CORE})
find_package(PkgConfig REQUIRED)
pkg_check_modules(sodium REQUIRED IMPORTED_TARGET libsodium)
find_package(GTest REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)

set(HANSARD_CTRANSLATE2_VERSION 4.8.4)
set(HANSARD_ONNXRUNTIME_VERSION 1.28.2)
hansard_part(ctranslate2 ctranslate2-${HANSARD_CTRANSLATE2_VERSION} libctranslate2.so)
hansard_part(onnxruntime onnxruntime-${HANSARD_ONNXRUNTIME_VERSION} libonnxruntime.so)

# Builds the page; Hansard runs without it.
set(HANSARD_NODE_VERSION 24.19.0)
set(HANSARD_NODE ${HANSARD_DEPS_DIR}/node-${HANSARD_NODE_VERSION}/bin/node)
if(NOT EXISTS ${HANSARD_NODE} OR NOT EXISTS ${PROJECT_SOURCE_DIR}/web/node_modules/vite)
  message(FATAL_ERROR "Node.js is missing from ${HANSARD_DEPS_DIR}, or what web/ needs of it. Run deps/fetch build.")
endif()

# SQLite is compiled in. Its connections each belong to one thread at a time.
set(HANSARD_SQLITE_VERSION 3.54.1)
set(_sqlite ${HANSARD_DEPS_DIR}/sqlite-${HANSARD_SQLITE_VERSION})
if(NOT EXISTS ${_sqlite}/src/sqlite3.c)
  message(FATAL_ERROR "SQLite is missing from ${HANSARD_DEPS_DIR}. Run deps/fetch build.")
endif()
add_library(sqlite3 STATIC ${_sqlite}/src/sqlite3.c)
target_include_directories(sqlite3 SYSTEM PUBLIC ${_sqlite}/include)
target_compile_options(sqlite3 PRIVATE -w -O2)
target_compile_definitions(sqlite3 PRIVATE
  SQLITE_THREADSAFE=2 SQLITE_DQS=0 SQLITE_DEFAULT_MEMSTATUS=0 SQLITE_LIKE_DOESNT_MATCH_BLOBS SQLITE_MAX_EXPR_DEPTH=0
  SQLITE_OMIT_DEPRECATED SQLITE_OMIT_SHARED_CACHE SQLITE_OMIT_LOAD_EXTENSION SQLITE_USE_ALLOCA SQLITE_ENABLE_FTS5
  HAVE_FDATASYNC HAVE_USLEEP)  # what its configure script would find; without it, fsync and sleeps of whole seconds
target_link_libraries(sqlite3 PRIVATE m)
