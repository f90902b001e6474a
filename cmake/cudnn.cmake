# cuDNN 9 and its frontend, headers only: the library is opened at run time (AVS_CUDNN_LIBRARY, or the loader's paths,
# or next to the headers: those of the toolkit, the system or the wheel nvidia-cudnn-cu13). cudnn-frontend comes from
# the system or from its PyPI wheel, which ./run unpacks into build/cudnn-frontend.
set(AVS_CUDNN_ROOT "" CACHE PATH "Where include/cudnn.h of cuDNN 9 lives (default: beside the CUDA toolkit, or the system's)")
execute_process(COMMAND ${CMAKE_SOURCE_DIR}/cmake/cudnn.sh OUTPUT_VARIABLE cudnn_here OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
find_path(CUDNN_INCLUDE cudnn_graph.h HINTS ${AVS_CUDNN_ROOT} ${CUDAToolkit_ROOT} $ENV{CUDA_PATH} /usr/local/cuda ${cudnn_here} PATH_SUFFIXES include)
find_path(CUDA_DRIVER_INCLUDE cuda.h HINTS ${CUDAToolkit_ROOT} $ENV{CUDA_PATH} /usr/local/cuda PATH_SUFFIXES include)
find_path(CUDNN_FRONTEND_INCLUDE cudnn_frontend.h
  HINTS ${CMAKE_BINARY_DIR}/cudnn-frontend/include ${CMAKE_SOURCE_DIR}/build/cudnn-frontend/include)
if(CUDNN_INCLUDE AND CUDA_DRIVER_INCLUDE AND CUDNN_FRONTEND_INCLUDE)
  set(cudnn_found ON)
  add_library(avs_cudnn_headers INTERFACE)
  target_include_directories(avs_cudnn_headers SYSTEM INTERFACE ${CUDNN_FRONTEND_INCLUDE} ${CUDNN_INCLUDE} ${CUDA_DRIVER_INCLUDE})
  target_link_libraries(avs_cudnn_headers INTERFACE ${CMAKE_DL_LIBS})
  find_file(CUDNN_LIBRARY_FILE libcudnn.so.9 HINTS ${CUDNN_INCLUDE}/.. PATH_SUFFIXES lib lib64)
  if(CUDNN_LIBRARY_FILE)
    get_filename_component(cudnn_folder ${CUDNN_LIBRARY_FILE} DIRECTORY)
  endif()
  target_compile_definitions(avs_cudnn_headers INTERFACE AVS_CUDNN_FOLDER="${cudnn_folder}")
else()
  set(cudnn_found OFF)
endif()
option(AVS_CUDNN "Convolve through cuDNN where it has an engine (with AVS_CUDA)" ${cudnn_found})
if(AVS_CUDNN AND NOT cudnn_found)
  message(FATAL_ERROR "AVS_CUDNN is on, but cudnn_graph.h, cuda.h or cudnn_frontend.h was not found: install cuDNN 9, let ./run "
    "fetch cudnn-frontend, or set AVS_CUDNN_ROOT")
endif()
