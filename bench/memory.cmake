# SPDX-License-Identifier: Apache-2.0
sc_bench(memory memory.c LINK sc_bench_cluster)
