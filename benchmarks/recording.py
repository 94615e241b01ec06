"""What it costs to record everything: attention, tokens, queries, keys and values of all layers.

python benchmarks/recording.py
"""

import argparse

import torch

from vitreous import Recording, create_model
from vitreous.bench.machine import where
from vitreous.bench.measure import interleave, ratio_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="ViT-B/16")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.manual_seed(0)
    model = create_model(options.model).eval()
    torch.nn.init.normal_(model.head.weight, std=0.01)
    images = torch.randn(options.batch, 3, *model.config.image_size)
    every = dict.fromkeys(("attention", "tokens", "queries", "keys", "values"), "all")
    recordings = {
        "everything, kept": Recording(**every),
        "everything, layer by layer": Recording(**every, each=lambda recording, layer: None),
        "attention, layer by layer": Recording(attention="all", each=lambda recording, layer: None),
    }

    def run(recording: Recording | None) -> torch.Tensor:
        with torch.inference_mode():
            return model(images, recording=recording)

    print(where())
    plain = run(None)
    apart = max(float((run(recording) - plain).abs().max()) for recording in recordings.values())
    runs = {"plain": None, **recordings}
    timings = interleave(
        {name: (lambda recording=recording: run(recording)) for name, recording in runs.items()},
        options.rounds,
    )
    print(f"\n{options.model}, batch {options.batch}, float32; logits apart by {apart:.1e}\n")
    print("| recorded | x the plain forward's time |\n|---|---|")
    for name in recordings:
        ratio = ratio_of(timings[name].seconds, timings["plain"].seconds)
        print(f"| {name} | {ratio.median:.2f} |")


if __name__ == "__main__":
    main()
