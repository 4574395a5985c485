# cmake --install and find_package(scheduled).
