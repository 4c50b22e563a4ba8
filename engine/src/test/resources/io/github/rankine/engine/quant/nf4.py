"""NF4 with double quantisation (Dettmers et al. 2023) in NumPy alone, written from the paper and the layout's description: what the Java
code is compared with, bit for bit. Writes nf4.properties beside itself.

    python nf4.py

Per case it keeps the number of elements and SHA-256 sums of the input, the codes (two to a byte), the scales' codes, the nested scales and
the offset, and of the values that they stand for. The million values come from a generator that any language repeats exactly.
"""

import hashlib
from pathlib import Path

import numpy as np

f32 = np.float32
VALUES = np.array(
    [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
     -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
     0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0], dtype=f32)


def dynamic_map():
    values = [f32(0), f32(1)]
    for i in range(7):
        n = 2**i
        step = f32(f32(f32(1) - f32(0.1)) / f32(n))
        # A product and a sum that are rounded together: exact in double precision, then once.
        points = [f32(float(f32(0.1)) + float(step) * j) if j < (n + 1) // 2 else f32(1.0 - float(step) * (n - j))
                  for j in range(n + 1)]
        for low, high in zip(points, points[1:]):
            value = f32(f32(10.0 ** (i - 6)) * f32(f32(low + high) / f32(2)))
            values += [value, -value]
    return np.sort(np.array(values, dtype=f32))


MAP = dynamic_map()


def nearest(values, x):
    """Index of the nearest value, of two equally near the lower: the midpoints below x, counted."""
    midpoints = (values[:-1] + values[1:]) / f32(2)
    return np.searchsorted(midpoints, x, side="left")


def blocks(x, size):
    return np.pad(x, (0, -len(x) % size)).reshape(-1, size)


def divided(x, scale):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(scale == 0, f32(0), x / scale).astype(f32)


def quantise(x):
    b = blocks(x, 64)
    scales = np.abs(b).max(axis=1).astype(f32)
    codes = nearest(VALUES, divided(b, scales[:, None])).reshape(-1)[: len(x)].astype(np.uint8)
    if len(codes) % 2:
        codes = np.append(codes, np.uint8(0))
    packed = codes[0::2] << 4 | codes[1::2]
    offset = f32(np.cumsum(scales.astype(np.float64))[-1] / len(scales))
    rest = blocks((scales - offset).astype(f32), 256)
    valid = blocks(np.ones(len(scales)), 256) == 1
    nested = np.where(valid, np.abs(rest), 0).max(axis=1).astype(f32)
    scale_codes = nearest(MAP, divided(rest, nested[:, None])).reshape(-1)[: len(scales)].astype(np.uint8)
    restored = (MAP[scale_codes] * np.repeat(nested, 256)[: len(scales)] + offset).astype(f32)
    values = (VALUES[codes[: len(x)]] * np.repeat(restored, 64)[: len(x)]).astype(f32)
    return packed, scale_codes, nested, offset, values


def uniform(n, seed):
    """SplitMix64's upper 24 bits, from 0 to 1."""
    with np.errstate(over="ignore"):
        z = (np.arange(1, n + 1, dtype=np.uint64) + np.uint64(seed)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 2**24


def cases():
    n = 1_000_000
    bell = sum(uniform(n, k * n) for k in range(4)) - 2
    yield "million", (bell * (0.02 + 0.1 * uniform(n, 9 * n) ** 8)).astype(f32)
    midpoints = (VALUES[:-1] + VALUES[1:]) / f32(2)
    tied = np.zeros(64, dtype=f32)
    tied[0] = 1
    tied[1:16] = midpoints
    tied[16:31] = np.nextafter(midpoints, f32(2))
    tied[31:46] = np.nextafter(midpoints, f32(-2))
    yield "ties", np.concatenate([tied, tied * f32(-1), tied * f32(0.3), tied * f32(8)])
    yield "zeros", np.zeros(640, dtype=f32)
    yield "zeros_among_others", np.concatenate([np.zeros(64, f32), bell[:128].astype(f32), np.zeros(65, f32)])
    yield "denormals", (bell[:300] * 1e-40).astype(f32)
    yield "smallest", np.where(bell[:200] > 0, f32(1e-45), f32(0)).astype(f32)
    yield "one_value_blocks", np.repeat(bell[:20].astype(f32), 64)
    yield "one_element", np.array([-0.7], dtype=f32)
    yield "odd_length", bell[:193].astype(f32)
    yield "huge", (bell[:500] * 1e38).astype(f32)


def sha(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def main():
    lines = []
    for name, x in cases():
        packed, scale_codes, nested, offset, values = quantise(x)
        parts = dict(
            input=x, codes=packed, scale_codes=scale_codes, nested=nested, offset=np.array([offset], f32), values=values
        )
        lines.append(f"{name}.elements={len(x)}")
        lines += [f"{name}.{part}={sha(array)}" for part, array in parts.items()]
    Path(__file__).with_suffix(".properties").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
