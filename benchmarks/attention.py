"""Forward and backward of one attention on the CPU: the fused kernel against the explicit softmax.

python benchmarks/attention.py
"""

import torch
from torch.nn import functional as F

from vitreous.bench.machine import where
from vitreous.bench.measure import interleave, ratio_of

SHAPES = ((128, 3, 17, 32), (64, 4, 64, 32), (64, 4, 100, 32), (16, 6, 197, 64), (4, 6, 577, 64))


def main() -> None:
    print(where())
    print("\n| batch x heads x tokens x width | float32 | bfloat16 |\n|---|---|---|")
    for shape in SHAPES:
        ratios = []
        for dtype in (torch.float32, torch.bfloat16):
            q, k, v = (torch.randn(shape, dtype=dtype, requires_grad=True) for _ in range(3))

            def fused(q=q, k=k, v=v) -> None:
                F.scaled_dot_product_attention(q, k, v).sum().backward()

            def explicit(q=q, k=k, v=v) -> None:
                weights = ((q * q.shape[-1] ** -0.5) @ k.mT).softmax(-1)
                (weights @ v).sum().backward()

            timings = interleave({"fused": fused, "explicit": explicit}, 11)
            ratio = ratio_of(timings["fused"].seconds, timings["explicit"].seconds)
            ratios.append(f"{ratio.median:.2f}")
        print(f"| {' x '.join(map(str, shape))} | {' | '.join(ratios)} |")


if __name__ == "__main__":
    main()
