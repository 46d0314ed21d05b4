# SPDX-License-Identifier: Apache-2.0
sc_bench(energy energy.c LINK sc_energy)
target_compile_definitions(bench_energy PRIVATE SC_BENCH_DIR="${CMAKE_SOURCE_DIR}/bench")
