"""Writes singular_values.txt: NumPy's singular values of matrices that SvdTest makes again, element for element.

    python singular_values.py > singular_values.txt
"""

import numpy as np

MASK = (1 << 64) - 1


def uniform(seed, index):
    """SplitMix64 of seed and index, as a number in [-1, 1)."""
    z = (seed * 0x632BE59BD9B4E019 + (index + 1) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    z ^= z >> 31
    return (z >> 11) / (1 << 52) - 1


def vector(seed, n):
    return np.array([uniform(seed, i) for i in range(n)])


def matrix(kind, rows, cols):
    """'random', or the sum of a number of outer products, each a factor of the one before: 'sum:terms:factor'."""
    if kind == "random":
        return vector(7, rows * cols).reshape(rows, cols).astype(np.float32)
    _, terms, factor = kind.split(":")
    total = np.zeros((rows, cols))
    scale = 1.0
    for k in range(int(terms)):
        total = total + scale * np.outer(vector(2 * k + 100, rows), vector(2 * k + 101, cols))
        scale *= float(factor)
    return total.astype(np.float32)


CASES = [
    ("random", 1, 1), ("random", 1, 37), ("random", 53, 1), ("random", 2, 3), ("random", 64, 64), ("random", 129, 65),
    ("random", 48, 300), ("random", 512, 40), ("random", 384, 512),
    ("sum:60:0.7", 100, 90), ("sum:200:0.9", 256, 512), ("sum:5:1", 120, 80), ("sum:1:1", 33, 200), ("sum:3:0.0001", 70, 70),
]

for kind, rows, cols in CASES:
    values = np.linalg.svd(matrix(kind, rows, cols).astype(np.float64), compute_uv=False)
    print(kind, rows, cols, " ".join(f"{v:.12g}" for v in values))
