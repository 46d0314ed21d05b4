# SPDX-License-Identifier: Apache-2.0
sc_bench(start start.c LINK sc_bench_cluster)
