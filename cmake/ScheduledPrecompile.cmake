# Precompiled headers of our own builds: a cold build spends most of its time in the same few
# headers of the standard library, Abseil, fmt and Catch2. Nobody may lean on them: the fuzz preset
# compiles without (CMAKE_DISABLE_PRECOMPILE_HEADERS), and a host that embeds the sources never gets
# them.
#
# One set of flags needs one header, so there are four:
#   scheduled_pch_layer     the layers of the library (position-independent)
#   scheduled_pch_messages  the same and the generated messages, for the layers made of them
#   scheduled_pch_program   bench, simulator, fuzz replays
#   scheduled_pch_test      the Catch2 programs
# Beside that, the presets dev, asan and tsan compile several files of a folder as one (a unity build:
# CMAKE_UNITY_BUILD), because most of what is left is the same templates in each of them. So a name in
# an unnamed namespace has one meaning in its folder. Who works on one file for long may configure
# with -DCMAKE_UNITY_BUILD=OFF; the presets release, clang and fuzz always compile file by file.
#
# What links gRPC does without: its targets bring -pthread along, and a header for two dozen files
# would cost what it saves.

set(SCHEDULED_PCH_HEADERS
    <algorithm> <array> <atomic> <condition_variable> <cstddef> <cstdint> <deque> <functional> <map>
    <memory> <mutex> <optional> <set> <span> <string> <string_view> <thread> <utility> <variant>
    <vector> <absl/container/btree_map.h> <absl/container/flat_hash_map.h>
    <absl/functional/any_invocable.h> <absl/status/statusor.h> <absl/strings/str_cat.h>
    <absl/time/clock.h> <absl/time/time.h> <fmt/format.h>)

# scheduled_precompiled(<name> [PIC] [HEADERS ...] USES <targets...>): one precompiled header.
function(scheduled_precompiled name)
  cmake_parse_arguments(ARG "PIC" "" "HEADERS;USES" ${ARGN})
  if(NOT PROJECT_IS_TOP_LEVEL)
    return()
  endif()
  file(WRITE "${PROJECT_BINARY_DIR}/pch/${name}.cc.in" "// Carries a precompiled header.\n")
  configure_file("${PROJECT_BINARY_DIR}/pch/${name}.cc.in" "${PROJECT_BINARY_DIR}/pch/${name}.cc"
                 COPYONLY)
  add_library(${name} OBJECT "${PROJECT_BINARY_DIR}/pch/${name}.cc")
  target_link_libraries(${name} PRIVATE ${ARG_USES} scheduled_flags)
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ${ARG_PIC})
  target_precompile_headers(${name} PRIVATE ${SCHEDULED_PCH_HEADERS} ${ARG_HEADERS})
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    # Without its time of day inside, a cache can recognise the file.
    target_compile_options(${name} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
endfunction()

# scheduled_precompile(<target> <name>): compiles the target with it, if there is one.
function(scheduled_precompile target name)
  if(TARGET ${name})
    target_precompile_headers(${target} REUSE_FROM ${name})
    if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
      target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
    endif()
  endif()
endfunction()

# scheduled_unoptimised(<sources...>): in Dev builds, for files that are nothing but the templates of
# Beast, CLI11 or Catch2 and that nobody waits for.
function(scheduled_unoptimised)
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "$<$<CONFIG:Dev>:-O0>"
                                                 SKIP_PRECOMPILE_HEADERS ON)
endfunction()
