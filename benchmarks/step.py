"""What the loop's step costs over the bare forward, backward and optimiser written by hand.

python benchmarks/step.py --width 192 --depth 12 --batch 16
"""

import argparse
import copy
import io
import tempfile
from pathlib import Path

import torch
from rich.console import Console
from torch.nn import functional as F

from vitreous.bench.machine import where
from vitreous.bench.measure import interleave, ratio_of
from vitreous.data.batch import Batch
from vitreous.data.open import open_dataset
from vitreous.data.preprocessing import Preprocessing
from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.parallel.device import choose_engine
from vitreous.train.config import OptimizerConfig, TrainConfig
from vitreous.train.loop import Loop
from vitreous.train.objectives import build_objective
from vitreous.train.placement import place
from vitreous.train.run_folder import RunFolder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--depth", type=int, default=12)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--clip", type=float, default=1.0)
    options = parser.parse_args()
    side = (options.side, options.side)
    model = ViTConfig(
        image_size=side,
        patch=8,
        channels=1,
        width=options.width,
        depth=options.depth,
        mlp_width=4 * options.width,
        heads=options.width // 64,
        num_classes=10,
    )
    config = TrainConfig(
        recipe="scratch",
        data="digits",
        model=model,
        preprocessing=Preprocessing(size=side, channels=1, mean=(0.5,), std=(0.5,)),
        optimizer=OptimizerConfig(clip=options.clip),
        steps=10**9,
        batch_size=options.batch,
        micro_batch=options.batch,
    )
    engine = choose_engine("cpu", "float32")
    torch.manual_seed(0)
    ours = create_model(model)
    bare = copy.deepcopy(ours).train()
    optimizer = torch.optim.AdamW(bare.parameters(), weight_decay=0.0, fused=True)
    pixels = torch.randint(0, 256, (options.batch, 1, *side), dtype=torch.uint8)
    labels = torch.arange(options.batch) % 10
    batch = Batch(pixels, labels, labels, torch.ones(options.batch, dtype=torch.bool))
    with tempfile.TemporaryDirectory() as folder:
        digits = open_dataset("digits")
        objective = build_objective(config, digits, engine)
        loop = Loop(
            config,
            digits,
            place(ours, objective, config, "one", engine),
            objective,
            RunFolder(Path(folder)),
            engine,
            Console(file=io.StringIO()),
        )

        def by_hand() -> None:
            images = pixels * (2 / 255) - 1
            loss = F.cross_entropy(bare(images), labels)
            loss.backward()
            if options.clip:
                torch.nn.utils.clip_grad_norm_(bare.parameters(), options.clip)
            optimizer.step()
            optimizer.zero_grad()
            loss.item()

        timings = interleave(
            {"by hand": by_hand, "the loop's": lambda: loop._step(batch)}, options.rounds
        )
    ratio = ratio_of(timings["the loop's"].seconds, timings["by hand"].seconds).median
    hand = sorted(timings["by hand"].seconds)[options.rounds // 2]
    print(where())
    print(
        f"width {options.width}, depth {options.depth}, {options.side} pixels, batch "
        f"{options.batch}, clip {options.clip:g}: by hand {1000 * hand:.1f} ms, the loop's step "
        f"{ratio:.4f} x"
    )


if __name__ == "__main__":
    main()
