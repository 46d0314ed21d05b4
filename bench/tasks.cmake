# SPDX-License-Identifier: Apache-2.0
sc_bench(tasks tasks.c hand.c LINK sc_bench_cluster sc_bench_raw PkgConfig::SQLITE)
add_library(bench_count_malloc MODULE count_malloc.c)
set_target_properties(bench_count_malloc PROPERTIES OUTPUT_NAME count_malloc PREFIX ""
  LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin/bench)
target_link_libraries(bench_count_malloc PRIVATE sc_flags)
target_compile_definitions(bench_tasks PRIVATE SC_BENCH_COUNT_MALLOC="$<TARGET_FILE:bench_count_malloc>")
add_dependencies(bench_tasks bench_count_malloc)
