# AVS_SANITIZE=address adds UBSan; AVS_SANITIZE=thread replaces OpenMP in our own loops by std::thread, because
# ThreadSanitizer reports false races inside uninstrumented libgomp.
if(AVS_SANITIZE STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(AVS_SANITIZE STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
elseif(NOT AVS_SANITIZE STREQUAL "")
  message(FATAL_ERROR "AVS_SANITIZE is '${AVS_SANITIZE}': expected empty, 'address' or 'thread'")
endif()
if(NOT AVS_SANITIZE STREQUAL "")
  # no function multiversioning: its resolvers run before the sanitizer is initialised
  add_compile_definitions(AVS_SANITIZED)
endif()
