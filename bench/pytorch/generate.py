"""The generation of `bench/run generate`, in PyTorch + Transformers; prints the same JSON fields."""

import argparse
import json
import resource
import statistics
import time

import torch
from transformers import AutoModelForCausalLM

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--prompt-length", type=int, default=512)
parser.add_argument("--new-tokens", type=int, default=64)
parser.add_argument("--runs", type=int, default=6)
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--type", choices=["float32", "bfloat16"], default="float32")
args = parser.parse_args()

torch.set_num_threads(args.threads)
torch.manual_seed(0)
torch.set_grad_enabled(False)
model = AutoModelForCausalLM.from_pretrained(args.model, dtype=getattr(torch, args.type)).eval()
ids = torch.randint(0, model.config.vocab_size, (1, args.prompt_length))

prefill, decode = [], []
for _ in range(args.runs):
    start = time.perf_counter()
    out = model(input_ids=ids, use_cache=True, logits_to_keep=1)
    token = out.logits[:, -1:].argmax(-1)
    first = time.perf_counter()
    for _ in range(args.new_tokens - 1):
        out = model(input_ids=token, past_key_values=out.past_key_values, use_cache=True)
        token = out.logits[:, -1:].argmax(-1)
    end = time.perf_counter()
    prefill.append(args.prompt_length / (first - start))
    decode.append((args.new_tokens - 1) / (end - first))

print(
    json.dumps(
        {
            "type": args.type,
            "threads": args.threads,
            "prefill_tokens_per_second": statistics.median(prefill[1:]),
            "decode_tokens_per_second": statistics.median(decode[1:]),
            "peak_memory_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        }
    )
)
