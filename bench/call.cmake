# SPDX-License-Identifier: Apache-2.0
sc_bench(call call.c LINK sc_bench_cluster sc_bench_raw)
