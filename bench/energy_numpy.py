# SPDX-License-Identifier: Apache-2.0
"""The limit beside bench/energy: energy and gradient as one writes them with NumPy.

Started by bench/energy, which passes N and d. Each line on standard input asks for one repetition;
each answer is a line with its time in seconds. Single precision, the same BLAS, one thread.
"""

import sys
import time

import numpy as np


def main():
    n, d = int(sys.argv[1]), int(sys.argv[2])
    rng = np.random.default_rng(1)
    w = rng.random((n, n), dtype=np.float32)
    w = (w + w.T) / 2
    np.fill_diagonal(w, 0)
    h = rng.random((n, d), dtype=np.float32) - np.float32(0.5)
    for _ in sys.stdin:
        start = time.perf_counter()
        energy = -(w * (h @ h.T)).sum()
        gradient = -2 * (w @ h)
        seconds = time.perf_counter() - start
        print(f"{seconds:.9f}", flush=True)
        del energy, gradient


if __name__ == "__main__":
    main()
