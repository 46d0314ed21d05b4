# SPDX-License-Identifier: Apache-2.0
sc_bench(restart restart.c LINK sc_bench_cluster)
