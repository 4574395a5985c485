# Build settings of our own targets: standard, warnings, sanitizers, ccache, mold.
# Everything hangs on the interface target scheduled_flags, so that nothing reaches a host project.
include(GNUInstallDirs)

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
  set(CMAKE_CXX_EXTENSIONS OFF)
  if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
  endif()
  # Dev: quick to compile, quick enough to run thousands of simulated seeds, assertions on.
  # project() has put an empty value into the cache for a build type that it does not know.
  if(NOT CMAKE_CXX_FLAGS_DEV)
    set(CMAKE_CXX_FLAGS_DEV "-O1 -g1 -fno-omit-frame-pointer" CACHE STRING "" FORCE)
  endif()

  find_program(SCHEDULED_CCACHE ccache)
  if(SCHEDULED_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # Where headers are precompiled, ccache caches nothing without these two.
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env
                                    CCACHE_SLOPPINESS=pch_defines,time_macros "${SCHEDULED_CCACHE}")
  endif()
  find_program(SCHEDULED_MOLD mold)
  if(SCHEDULED_MOLD)
    add_link_options(-fuse-ld=mold)
  endif()
endif()

add_library(scheduled_flags INTERFACE)
target_compile_features(scheduled_flags INTERFACE cxx_std_20)
target_compile_options(scheduled_flags INTERFACE -Wall -Wextra -Wno-missing-field-initializers)
# g++ 12 sees overlaps and overruns in std::string at -O3 that are not there (GCC bug 105651), the
# more where the headers of the standard library are precompiled.
target_compile_options(
  scheduled_flags
  INTERFACE
    "$<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-restrict;-Wno-stringop-overflow;-Wno-stringop-overread;-Wno-array-bounds>"
)
if(SCHEDULED_WARNINGS_AS_ERRORS)
  target_compile_options(scheduled_flags INTERFACE -Werror)
endif()
if(SCHEDULED_PLANTED_BUGS)
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    message(FATAL_ERROR "SCHEDULED_PLANTED_BUGS is for tests: not for a release build")
  endif()
  target_compile_definitions(scheduled_flags INTERFACE SCHEDULED_PLANTED_BUGS)
endif()
if(SCHEDULED_SANITIZE)
  # Whole-program flags: a sanitizer must see every translation unit of the build.
  add_compile_options(-fsanitize=${SCHEDULED_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SCHEDULED_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-maybe-uninitialized)  # false alarms of g++ 12 in instrumented code
  endif()
endif()
if(SCHEDULED_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
