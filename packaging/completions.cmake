# Writes a shell's completions: cmake -DPROGRAM=hansard -DSHELL=bash -DFILE=hansard.bash -P completions.cmake
execute_process(COMMAND ${PROGRAM} completions ${SHELL} OUTPUT_VARIABLE _text COMMAND_ERROR_IS_FATAL ANY)
file(WRITE ${FILE} "${_text}")
