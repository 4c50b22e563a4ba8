"""The training step of `bench/run step`, in PyTorch + Transformers + PEFT; prints the same JSON fields."""

import argparse
import json
import resource
import statistics
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--batch", type=int, default=4)
parser.add_argument("--length", type=int, default=256)
parser.add_argument("--rank", type=int, default=8)
parser.add_argument("--steps", type=int, default=7)
parser.add_argument("--threads", type=int, required=True)
parser.add_argument("--type", choices=["float32", "bfloat16"], default="float32")
args = parser.parse_args()

torch.set_num_threads(args.threads)
torch.manual_seed(0)
model = AutoModelForCausalLM.from_pretrained(args.model, dtype=getattr(torch, args.type))
config = LoraConfig(
    r=args.rank, lora_alpha=2 * args.rank, target_modules="all-linear", task_type="CAUSAL_LM"
)
# PEFT would keep a bfloat16 model's adapter in float32 and convert at each product; bfloat16 throughout is its faster way.
model = get_peft_model(model, config, autocast_adapter_dtype=False)
model.train()
trained = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(trained, lr=2e-4, weight_decay=0.0)
ids = torch.randint(0, model.config.vocab_size, (args.batch, args.length))
mask = torch.ones_like(ids)

seconds = []
for _ in range(args.steps):
    start = time.perf_counter()
    optimizer.zero_grad()
    loss = model(input_ids=ids, attention_mask=mask, labels=ids).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trained, 1.0)
    optimizer.step()
    seconds.append(time.perf_counter() - start)

measured = seconds[max(1, args.steps // 3) :]
print(
    json.dumps(
        {
            "type": args.type,
            "threads": args.threads,
            "tokens_per_second": args.batch * args.length / statistics.median(measured),
            "seconds": {"step": statistics.median(measured)},
            "loss": loss.item(),
            "peak_memory_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        }
    )
)
