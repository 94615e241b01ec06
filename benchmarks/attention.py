"""Forward and backward of one attention on the CPU: the fused kernel against the explicit softmax.

python benchmarks/attention.py
"""

import torch
from measure import interleave, median_ratio, where
from torch.nn import functional as F


def main() -> None:
    print(where())
    print("| heads x tokens x width | precision | explicit is so many times as fast |")
    print("|---|---|---|")
    for shape in ((64, 4, 64, 32), (128, 3, 17, 32), (8, 6, 197, 64)):
        for dtype in (torch.float32, torch.bfloat16):
            q, k, v = (torch.randn(shape, dtype=dtype, requires_grad=True) for _ in range(3))

            def fused(q=q, k=k, v=v) -> None:
                F.scaled_dot_product_attention(q, k, v).sum().backward()

            def explicit(q=q, k=k, v=v) -> None:
                weights = ((q * q.shape[-1] ** -0.5) @ k.mT).softmax(-1)
                (weights @ v).sum().backward()

            seconds = interleave({"fused": fused, "explicit": explicit}, 15)
            ratio = median_ratio(seconds["fused"], seconds["explicit"])
            batch, heads, tokens, width = shape
            print(f"| {batch} x {heads} x {tokens} x {width} | {str(dtype)[6:]} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
