# Cross-compiling for 64-bit ARM (Jetson, Grace, Raspberry Pi) with Debian's g++-aarch64-linux-gnu:
#   cmake -S . -B build/aarch64 -G Ninja -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64.cmake
# Libraries compile, built by target name; programs link if the packages for arm64 are installed (docs/porting.md).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

# Headers are the same on every architecture: if a library is missing for arm64, this machine's package is enough to
# compile.
set(avs_host_libraries /usr/lib/${CMAKE_HOST_SYSTEM_PROCESSOR}-linux-gnu)
file(GLOB avs_host_packages ${avs_host_libraries}/cmake/*)
foreach(package ${avs_host_packages})
  get_filename_component(name ${package} NAME)
  if(NOT EXISTS /usr/lib/aarch64-linux-gnu/cmake/${name})
    set(${name}_DIR ${package})
  endif()
endforeach()
set(CMAKE_LIBRARY_PATH ${avs_host_libraries})
set(CMAKE_SKIP_RPATH ON)
