"""What it pays that linear layers run by oneDNN's kernel, activation inside, on a CPU.

python benchmarks/dense.py [--processor_time]
"""

import argparse
from unittest.mock import patch

import torch

from vitreous import create_model
from vitreous.bench.machine import where
from vitreous.bench.measure import interleave, ratio_of
from vitreous.model import dense


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="ViT-B/16")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--processor_time", action="store_true", help="for a busy machine")
    options = parser.parse_args()
    torch.manual_seed(0)
    print(where())
    for dtype in filter(dense.kernel_has, (torch.float32, torch.bfloat16)):
        model = create_model(options.model).eval().to(dtype)
        torch.nn.init.normal_(model.head.weight, std=0.01)
        for batch in (1, 8):
            images = torch.randn(batch, 3, *model.config.image_size, dtype=dtype)

            @torch.inference_mode()
            def kernel(model=model, images=images) -> torch.Tensor:
                return model(images)

            def pytorch(kernel=kernel) -> torch.Tensor:
                with patch.object(dense, "_LEAST_SIDE", None):
                    return kernel()

            apart = float((kernel() - pytorch()).abs().max())
            timings = interleave({"pytorch": pytorch, "kernel": kernel}, options.rounds)
            clock = "processor_seconds" if options.processor_time else "seconds"
            ratio = ratio_of(getattr(timings["pytorch"], clock), getattr(timings["kernel"], clock))
            print(
                f"{options.model}, batch {batch}, {str(dtype)[6:]}: {ratio.median:.3f} x PyTorch's "
                f"linear layers, logits apart by {apart:.1e}"
            )


if __name__ == "__main__":
    main()
