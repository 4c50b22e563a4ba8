"""Rankine and PyTorch in turn on one machine: both sides' figures, and the median of the ratios of neighbouring runs."""

import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
RUN = HERE.parent / "run"
# The layers of SmolLM2-135M and of Qwen2.5-0.5B: outputs and inputs.
SHAPES = [(576, 576), (192, 576), (1536, 576), (576, 1536), (896, 896), (128, 896), (4864, 896), (896, 4864)]
ROWS = [256, 512, 1024, 2048]
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


def last_json(command, environment):
    """What a command prints in its last line."""
    result = subprocess.run(
        [str(part) for part in command], env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True
    )
    if result.returncode != 0:
        sys.exit(f"bench/compare: failed: {' '.join(map(str, command))}")
    return json.loads(result.stdout.strip().splitlines()[-1])


def whole_runs(script, arguments, options, figures):
    """Runs a script of this folder in turn with the command of bench/run that has its name."""
    types = options.types.split(",")
    ours = {"RANKINE_JAVA_OPTS": os.environ.get("RANKINE_JAVA_OPTS", "") + (" -XX:UseAVX=2" if options.avx2 else "")}
    theirs = AVX2 if options.avx2 else {}
    rounds = []
    for _ in range(options.rounds):
        round = {"rankine": last_json([RUN, script, "--json", *arguments], ours)}
        for type in types:
            command = [sys.executable, HERE / f"{script}.py", "--type", type, *arguments]
            round[type] = last_json(command, theirs)
        rounds.append(round)
    print(f"{'':34}{'Rankine':>14}" + "".join(f"{'PyTorch ' + type:>20}{'ratio':>8}" for type in types))
    for figure, unit in figures:
        scale = 1 / 2**20 if figure.endswith("bytes") else 1
        line = f"{unit:34}{statistics.median(r['rankine'][figure] for r in rounds) * scale:14.1f}"
        for type in types:
            ratio = statistics.median(r["rankine"][figure] / r[type][figure] for r in rounds)
            line += f"{statistics.median(r[type][figure] for r in rounds) * scale:20.1f}{ratio:8.2f}"
        print(line)


def products(arguments, options):
    """Every product of the layers and the multiply-adds' peak, all in turn within processes that live through the whole comparison."""
    cases = [(rows, *shape) for rows in ROWS for shape in SHAPES]
    sides = [
        [RUN, "products", "--weights", "f32", *arguments],
        [RUN, "products", "--weights", "bf16", *arguments],
        [sys.executable, HERE / "products.py", *arguments],
    ]
    processes = [
        subprocess.Popen([str(part) for part in side], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for side in sides
    ]

    def measure(process, line):
        # Threads of the side before, which spin for a while in case more work comes, are left to fall asleep.
        time.sleep(0.1)
        process.stdin.write(line + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
        if not answer:
            sys.exit("bench/compare: a side ended early")
        return float(answer)

    def round(case):
        line = "%d %d %d" % case
        return [measure(processes[0], "peak"), *(measure(process, line) for process in processes)]

    print("GFLOP/s             Rankine F32  of peak  Rankine BF16   PyTorch  F32/PyTorch  BF16/F32")
    to_torch, to_f32, to_peak = {}, {}, {}
    # What has just begun loads and compiles: all sides are up and warm before the first case counts.
    for _ in range(10):
        round(cases[0])
    for case in cases:
        rounds = [round(case) for _ in range(options.rounds + 1)][1:]
        _, f32, bf16, torch = (statistics.median(side) for side in zip(*rounds))
        to_peak[case] = statistics.median(r[1] / r[0] for r in rounds)
        to_torch[case] = statistics.median(r[1] / r[3] for r in rounds)
        to_f32[case] = statistics.median(r[2] / r[1] for r in rounds)
        print(
            f"{'%d x %dx%d' % case:20}{f32:11.1f}{to_peak[case]:9.2f}{bf16:14.1f}{torch:10.1f}"
            f"{to_torch[case]:13.2f}{to_f32[case]:10.2f}",
            flush=True,
        )
    for name, ratios in ("F32/PyTorch", to_torch), ("BF16/F32", to_f32):
        mean = math.exp(statistics.fmean(map(math.log, ratios.values())))
        print(f"{name}: geometric mean {mean:.2f}, least {min(ratios.values()):.2f}")
    shares = [share for (rows, *_), share in to_peak.items() if rows >= 512]
    print(f"of peak, 512 rows and more: mean {statistics.fmean(shares):.2f}, least {min(shares):.2f}")


parser = argparse.ArgumentParser(prog="bench/compare", description=__doc__)
parser.add_argument("what", choices=["step", "generate", "products"])
parser.add_argument("--rounds", type=int, default=3, help="runs of each side (default: %(default)s)")
parser.add_argument("--types", default="float32,bfloat16", help="PyTorch's types (default: %(default)s)")
parser.add_argument("--avx2", action="store_true", help="hold both sides to 256-bit vectors")
parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of either side (default: %(default)s)")
options, arguments = parser.parse_known_args()
arguments += ["--threads", str(options.threads)]
if options.what == "step":
    figures = [("tokens_per_second", "tokens/s"), ("peak_memory_bytes", "peak memory, MiB")]
    whole_runs("step", arguments, options, figures)
elif options.what == "generate":
    figures = [
        ("prefill_tokens_per_second", "prefill, tokens/s"),
        ("decode_tokens_per_second", "decode, tokens/s"),
        ("peak_memory_bytes", "peak memory, MiB"),
    ]
    whole_runs("generate", arguments, options, figures)
else:
    products(arguments, options)
