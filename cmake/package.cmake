# What is installed, and the Debian package made of it: ./dev package. Programs in /usr/bin and /usr/libexec/hansard,
# the libraries that Debian does not have in /usr/lib/hansard, where hansard-engine looks for them.

set(CPACK_GENERATOR DEB)
if(CMAKE_INSTALL_PREFIX_INITIALIZED_TO_DEFAULT)
  set(CMAKE_INSTALL_PREFIX /usr CACHE PATH "" FORCE)
endif()
set(_doc share/doc/hansard)

install(TARGETS hansard RUNTIME DESTINATION bin)
set_target_properties(hansard-engine PROPERTIES INSTALL_RPATH "$ORIGIN/../../lib/hansard")
install(TARGETS hansard-engine RUNTIME DESTINATION libexec/hansard)

foreach(_target ctranslate2 onnxruntime)
  get_target_property(_library ${_target} IMPORTED_LOCATION)
  get_filename_component(_folder ${_library} DIRECTORY)
  file(GLOB _libraries ${_folder}/*.so ${_folder}/*.so.*)
  foreach(_file IN LISTS _libraries)
    if(NOT IS_SYMLINK ${_file})
      install(FILES ${_file} DESTINATION lib/hansard)
    endif()
  endforeach()
endforeach()
install(CODE [[
  if(CMAKE_INSTALL_DO_STRIP)
    file(GLOB _libraries "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/lib/hansard/*")
    execute_process(COMMAND strip --strip-unneeded ${_libraries} COMMAND_ERROR_IS_FATAL ANY)
  endif()]])

# The models without which nothing is heard and nobody told apart, which nobody else serves in this form. Whisper's
# are fetched or imported by whoever chooses one.
foreach(_model speech-silero diarization-default)
  install(DIRECTORY ${HANSARD_DEPS_DIR}/models/${_model} DESTINATION share/hansard/models PATTERN ".*" EXCLUDE)
endforeach()

# Completions are made by the program that is installed. None may be called as the program: CMake would take it for that.
foreach(_shell_file bash/bash-completion/completions/hansard.bash zsh/zsh/vendor-completions/_hansard
        fish/fish/vendor_completions.d/hansard.fish)
  string(REGEX MATCH "^([^/]*)/(.*)$" _ ${_shell_file})
  set(_shell ${CMAKE_MATCH_1})
  set(_file ${CMAKE_MATCH_2})
  add_custom_command(OUTPUT share/${_file}
    COMMAND ${CMAKE_COMMAND} -DPROGRAM=$<TARGET_FILE:hansard> -DSHELL=${_shell} -DFILE=${CMAKE_BINARY_DIR}/share/${_file}
            -P ${PROJECT_SOURCE_DIR}/packaging/completions.cmake
    DEPENDS hansard)
  list(APPEND _completions share/${_file})
endforeach()
add_custom_target(hansard_completions DEPENDS ${_completions})
install(DIRECTORY ${CMAKE_BINARY_DIR}/share/ DESTINATION share)

install(FILES packaging/hansard.service DESTINATION lib/systemd/system)
install(FILES packaging/deb/config.toml DESTINATION /etc/hansard)
install(FILES README.md CHANGELOG.md THIRD_PARTY.md DESTINATION ${_doc})
install(FILES LICENSE DESTINATION ${_doc} RENAME copyright)
install(DIRECTORY docs DESTINATION ${_doc})

set(CPACK_PACKAGE_NAME hansard)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "The Hansard maintainers <maintainers@hansard.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Writes down who said what: recordings to transcripts, offline")
set(CPACK_PACKAGE_DESCRIPTION "Hansard transcribes recordings and tells speakers apart, on this machine alone: as a
command, and as a server with a durable queue and an HTTP interface.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_SET_DESTDIR ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION sound)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS
  ${HANSARD_DEPS_DIR}/ctranslate2-${HANSARD_CTRANSLATE2_VERSION}/lib
  ${HANSARD_DEPS_DIR}/onnxruntime-${HANSARD_ONNXRUNTIME_VERSION}/lib)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, ffmpeg, ca-certificates, procps")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "yt-dlp")  # for files:import-youtube
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${PROJECT_SOURCE_DIR}/packaging/deb/postinst ${PROJECT_SOURCE_DIR}/packaging/deb/prerm
  ${PROJECT_SOURCE_DIR}/packaging/deb/postrm ${PROJECT_SOURCE_DIR}/packaging/deb/conffiles)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
include(CPack)
