# SPDX-License-Identifier: Apache-2.0
sc_bench(array array.c LINK sc_bench_cluster)
