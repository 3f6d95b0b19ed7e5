# How this project's targets are made: one library for each folder of src/, one test program for each
# library, the same warnings for all.

option(HANSARD_WERROR "Treat warnings as errors" ON)
set(HANSARD_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize= (address,undefined or thread)")

add_library(hansard_options INTERFACE)
target_compile_options(hansard_options INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor $<$<BOOL:${HANSARD_WERROR}>:-Werror>
  -Wno-gnu-statement-expression -Wno-missing-designated-field-initializers
  -Wno-deprecated-declarations)  # libstdc++ 12's own std::stable_sort
target_include_directories(hansard_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_link_options(hansard_options INTERFACE -fuse-ld=lld-19 -Wl,--as-needed)
option(HANSARD_FUZZ "Build the fuzz targets" OFF)
if(HANSARD_FUZZ)
  target_compile_options(hansard_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(HANSARD_SANITIZE)
  target_compile_options(hansard_options INTERFACE
    -fsanitize=${HANSARD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  target_link_options(hansard_options INTERFACE -fsanitize=${HANSARD_SANITIZE})
endif()

# hansard_library(NAME [SOURCES ...] [LINK ...] [TESTS ...] [TEST_LINK ...])
# makes library hansard_NAME and, where there are TESTS, program test_NAME in build/bin/tests.
function(hansard_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;TESTS;TEST_LINK" ${ARGN})
  add_library(hansard_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(hansard_${name} PUBLIC hansard_options ${ARG_LINK})
  if(ARG_TESTS)
    hansard_test(${name} SOURCES ${ARG_TESTS} LINK hansard_${name} ${ARG_TEST_LINK})
  endif()
endfunction()

# hansard_test(NAME SOURCES ... [LINK ...]) makes program test_NAME. `./dev test` runs every program of
# build/bin/tests.
function(hansard_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(test_${name} EXCLUDE_FROM_ALL ${ARG_SOURCES})
  target_link_libraries(test_${name} PRIVATE hansard_options ${ARG_LINK} GTest::gtest_main)
  set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin/tests)
  target_compile_definitions(test_${name} PRIVATE
    HANSARD_SOURCE_DIR="${PROJECT_SOURCE_DIR}" HANSARD_BINARY_DIR="${CMAKE_BINARY_DIR}")
  add_dependencies(hansard_tests test_${name})
endfunction()

add_custom_target(hansard_tests COMMENT "All test programs")
