"""torch.nn.functional.linear over the layers' shapes: for each line `rows out in` of standard input, its GFLOP/s."""

import argparse
import sys
import time

import torch

parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--type", choices=["float32", "bfloat16"], default="float32")
args = parser.parse_args()

torch.set_num_threads(args.threads)
torch.set_grad_enabled(False)
torch.manual_seed(0)
cases = {}
for line in sys.stdin:
    rows, outputs, inputs = map(int, line.split())
    key = (rows, outputs, inputs)
    if key not in cases:
        dtype = getattr(torch, args.type)
        cases[key] = (torch.randn(rows, inputs, dtype=dtype), torch.randn(outputs, inputs, dtype=dtype))
        for _ in range(5):
            torch.nn.functional.linear(*cases[key])
    flop = 2.0 * rows * outputs * inputs
    repeats = max(1, int(1e10 / flop))
    start = time.perf_counter()
    for _ in range(repeats):
        torch.nn.functional.linear(*cases[key])
    print(flop * repeats / (time.perf_counter() - start) / 1e9, flush=True)
