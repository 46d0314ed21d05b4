# SPDX-License-Identifier: Apache-2.0
sc_bench(limit limit.c LINK sc_bench_raw)
