"""Prints how a model's training step fits into memory, and the plan that would be taken.

python benchmarks/plan.py --model ViT-H/14 --ranks 8 --memory 80 --batch 4096
"""

import argparse
from dataclasses import replace

import torch

from vitreous.data.preprocessing import Preprocessing
from vitreous.errors import UserError
from vitreous.model.variants import variant_config
from vitreous.parallel.device import Engine
from vitreous.train.config import ParallelConfig, TrainConfig
from vitreous.train.plan import find_plan, step_memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="ViT-H/14")
    parser.add_argument("--ranks", type=int, default=8)
    parser.add_argument("--memory", type=float, nargs="+", default=[16, 24, 40, 80, 139])
    parser.add_argument("--batch", type=int, default=4096)
    options = parser.parse_args()
    model = variant_config(options.model)
    engine = Engine(torch.device("cuda"), "bfloat16", "a GPU of today")
    config = TrainConfig(
        recipe="plan",
        data="none",
        model=model,
        preprocessing=Preprocessing(size=model.image_size),
        batch_size=options.batch,
    )
    print(f"{options.model}, AdamW, bfloat16, batch {options.batch}, {options.ranks} processes")
    for strategy in ("ddp", "fsdp"):
        for every in (0, 2, 1):
            parallel = ParallelConfig(activation_checkpointing=every)
            changed = replace(config, parallel=parallel)
            memory = step_memory(changed, engine, options.ranks, strategy, 32)
            print(f"  {strategy}, checkpointing {every}, 32 images: {memory}")
    for room in options.memory:
        try:
            plan = find_plan(config, engine, options.ranks, int(0.92 * room * 2**30))
        except UserError as error:
            print(f"{room:g} GiB: {error}")
        else:
            print(f"{room:g} GiB: {plan}")


if __name__ == "__main__":
    main()
