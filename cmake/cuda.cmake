# nvcc for every folder: cuda/ and bench/variants.
# CUDA 13 begins at sm_75. The last entry, without a suffix, also carries PTX for GPUs newer than this list.
set(AVS_CUDA_ARCHITECTURES "75-real;80-real;86-real;89-real;90a-real;120" CACHE STRING "GPU architectures to compile for")
set(CMAKE_CUDA_ARCHITECTURES ${AVS_CUDA_ARCHITECTURES})
enable_language(CUDA)
set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")  # CMake 3.25 does not know nvcc's flag
find_package(CUDAToolkit 13 REQUIRED)
set(AVS_CUDA_OPTIONS --expt-relaxed-constexpr -Werror=all-warnings -Xcompiler=-Wall,-Wextra)
