# cmake --install, find_package(scheduled), pkg-config and a Debian package.
include(CMakePackageConfigHelpers)

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/scheduled"
        DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/scheduled")
install(TARGETS scheduled EXPORT scheduledTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(EXPORT scheduledTargets NAMESPACE scheduled:: DESTINATION "${package_dir}")
# A file of targets for each component, so that a host loads only what it asks for.
set(scheduled_components "")
foreach(component webhook grpc)
  if(TARGET scheduled_${component})
    list(APPEND scheduled_components ${component})
    set_target_properties(scheduled_${component} PROPERTIES EXPORT_NAME ${component})
    install(TARGETS scheduled_${component} EXPORT scheduled_${component}Targets
            ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
    install(EXPORT scheduled_${component}Targets NAMESPACE scheduled:: DESTINATION "${package_dir}")
  endif()
endforeach()
if(TARGET scheduled_server)
  install(TARGETS scheduled_server RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()

configure_package_config_file(
  "${CMAKE_CURRENT_LIST_DIR}/scheduledConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/scheduledConfig.cmake" INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/scheduledConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/scheduledConfig.cmake"
              "${PROJECT_BINARY_DIR}/scheduledConfigVersion.cmake" DESTINATION "${package_dir}")

configure_file("${CMAKE_CURRENT_LIST_DIR}/scheduled.pc.in" "${PROJECT_BINARY_DIR}/scheduled.pc"
               @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/scheduled.pc"
        DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

if(PROJECT_IS_TOP_LEVEL)
  set(CPACK_GENERATOR DEB)
  set(CPACK_PACKAGE_NAME libscheduled-dev)
  set(CPACK_PACKAGE_CONTACT "the libscheduled maintainers")
  set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
  set(CPACK_DEBIAN_PACKAGE_DEPENDS
      "libabsl-dev, libfmt-dev, libprotobuf-dev, librocksdb-dev, libssl-dev, libxxhash-dev, libcurl4-openssl-dev, libgrpc++-dev"
  )
  include(CPack)
endif()
