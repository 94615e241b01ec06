"""What it pays that the last block computes only the class token.

python benchmarks/last_block.py
"""

import argparse
import copy

import torch

from vitreous import create_model
from vitreous.bench.machine import where
from vitreous.bench.measure import interleave, ratio_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="ViT-B/16")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.manual_seed(0)
    optimised = create_model(options.model).eval()
    torch.nn.init.normal_(optimised.head.weight, std=0.01)
    plain = copy.deepcopy(optimised)
    plain.pool.read = None  # the whole last block, of which the pool then takes one token
    images = torch.randn(options.batch, 3, *optimised.config.image_size)
    print(where())
    for dtype in (torch.float32, torch.bfloat16):

        def run(model: torch.nn.Module, dtype: torch.dtype = dtype) -> torch.Tensor:
            with (
                torch.inference_mode(),
                torch.autocast("cpu", dtype, enabled=dtype != torch.float32),
            ):
                return model(images)

        apart = float((run(optimised) - run(plain)).abs().max())
        timings = interleave(
            {"plain": lambda: run(plain), "optimised": lambda: run(optimised)}, options.rounds
        )
        ratio = ratio_of(timings["plain"].seconds, timings["optimised"].seconds).median
        rate = options.batch / sorted(timings["optimised"].seconds)[options.rounds // 2]
        print(
            f"{options.model}, batch {options.batch}, {str(dtype)[6:]}: {ratio:.3f} x the plain "
            f"block's speed ({rate:.1f} images/s), logits apart by {apart:.1e}"
        )


if __name__ == "__main__":
    main()
