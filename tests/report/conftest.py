"""A small evaluation with everything a page can show, and a browser to look at it."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vitreous.evaluate.classification import classification_report
from vitreous.model.build import create_model
from vitreous.model.config import ViTConfig
from vitreous.model.vit import VisionTransformer
from vitreous.report.pictures import AttentionView, Mistake

NASTY = '<b>roses & "tulips" $x$</b>'


def _report(num_classes: int, num_images: int = 200, seed: int = 0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    labels = random.integers(num_classes, size=num_images)
    logits = random.normal(size=(num_images, num_classes))
    logits[np.arange(num_images), labels] += 2.5
    names = [f"class {index}" for index in range(num_classes)]
    return classification_report(logits, labels, names)


def _history(num_epochs: int = 12, steps: int = 10) -> list[dict[str, float]]:
    random = np.random.default_rng(0)
    history: list[dict[str, float]] = []
    for step in range(1, num_epochs * steps + 1):
        epoch = step / steps
        history.append(
            {
                "step": step,
                "epoch": epoch,
                "loss": float(np.exp(-epoch / 4) + 0.1 * random.random()),
                "accuracy": float(1 - np.exp(-epoch / 4) * 0.9),
                "learning_rate": 1e-3,
                "images_per_second": 700.0,
            }
        )
        if step % steps == 0:
            history.append(
                {
                    "step": step,
                    "epoch": epoch,
                    "validation_loss": float(np.exp(-epoch / 5)),
                    "validation_accuracy": float(1 - np.exp(-epoch / 5)),
                }
            )
    return history


@pytest.fixture
def make_report() -> Callable[..., dict[str, Any]]:
    """Measure a made-up classifier of so many classes."""
    return _report


@pytest.fixture
def report() -> dict[str, Any]:
    full = _report(6)
    full["classes"][2]["name"] = NASTY
    full["classes"][3]["name"] = "向日葵 🌻"
    full["skipped"], full["num_skipped"] = ["<i>broken</i>.jpg"], 1
    facts = {"Recipe": "scratch", "<u>Seed</u>": "<s>0</s>"}
    return full | {
        "run": "<em>flowers</em>",
        "model": "ViT-Ti/8",
        "parameters": 1_234_567,
        "image_size": [32, 48],
        "data": "photos & more",
        "part": "validation",
        "seconds": 75.0,
        "facts": facts,
    }


@pytest.fixture
def history() -> list[dict[str, float]]:
    return _history()


@pytest.fixture
def mistakes() -> list[Mistake]:
    random = np.random.default_rng(1)
    shapes = [(8, 8, 1), (120, 80, 3), (20, 700, 3)]
    return [
        Mistake(
            f'roses/<"{place}">.jpg',
            random.integers(256, size=shape, dtype=np.uint8),
            NASTY,
            "class 1",
            0.9,
        )
        for place, shape in enumerate(shapes)
    ]


@pytest.fixture
def views() -> list[AttentionView]:
    random = np.random.default_rng(2)
    return [
        AttentionView(
            f"tulips/{size}.jpg",
            random.integers(256, size=(size, size, channels), dtype=np.uint8),
            random.random((4, 4)),
            "class 1",
            "class 1",
            0.995,
        )
        for size, channels in ((8, 1), (96, 3))
    ]


# Runs inside the page, before its own script: collects what goes wrong, then looks at the page.
_PROBE = """<script>
const seen = { errors: [] };
addEventListener("error", (event) => seen.errors.push(String(event.message)));
addEventListener("securitypolicyviolation", (event) => seen.errors.push(event.blockedURI));
addEventListener("load", () => {
  const column = (index) => [...document.querySelectorAll("#classes tbody tr")]
    .map((row) => row.cells[index].textContent);
  const press = (wanted) => {
    const headings = document.querySelectorAll("#classes thead button");
    const index = Math.min(wanted, headings.length - 1);
    headings[index]?.click();
    return column(index);
  };
  const box = (element) => {
    const { width, height } = element.getBoundingClientRect();
    return { width, height };
  };
  Object.assign(seen, {
    sorted: [press(0), press(0), press(3), press(3)],
    figures: [...document.querySelectorAll("figure.drawing svg")]
      .map((svg) => ({ name: svg.getAttribute("aria-label"), ...box(svg) })),
    images: [...document.images].map((image) => ({ natural: image.naturalWidth, ...box(image) })),
    width: document.documentElement.scrollWidth,
    space: document.documentElement.clientWidth,
    loaded: performance.getEntriesByType("resource").map((entry) => entry.name)
      .filter((name) => !name.startsWith("data:")),
  });
  const field = document.querySelector("#classes .filter input");
  if (field) {
    field.value = "CLASS 17";
    field.dispatchEvent(new Event("input"));
    seen.found = [...document.querySelectorAll("#classes tbody tr")]
      .filter((row) => row.getBoundingClientRect().height > 0)
      .map((row) => row.cells[0].textContent);
  }
  parent.postMessage(seen, "*");
});
</script>"""

_OUTSIDE = """<!doctype html><body><script>
const all = {{}};
addEventListener("message", (event) => {{
  const width = Array.from(frames).findIndex((frame) => frame === event.source);
  all[[390, 1280][width]] = event.data;
  document.body.dataset.seen = JSON.stringify(all);
}});
</script>
<iframe src="{page}" style="border:0;width:390px;height:3000px"></iframe>
<iframe src="{page}" style="border:0;width:1280px;height:3000px"></iframe>"""

_OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--virtual-time-budget=2000 --dump-dom --window-size=1400,3000"
).split()


@pytest.fixture
def browse(tmp_path: Path) -> Callable[[Path], dict[str, Any]]:
    """Open a page 390 and 1280 pixels wide; tell what a browser sees, by width."""
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next((found for name in names if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip("needs chromium to look at the page")

    def look(page: Path) -> dict[str, Any]:
        probed = tmp_path / "probed.html"
        text = page.read_text("utf-8")
        probed.write_text(text.replace("<head>", f"<head>{_PROBE}", 1), "utf-8")
        outside = tmp_path / "outside.html"
        outside.write_text(_OUTSIDE.format(page=probed.as_uri()))
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        command = [browser, *_OPTIONS, profile, outside.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        found = re.search(r'data-seen="([^"]*)"', done.stdout)
        assert found, f"the page told nothing: {done.stdout[-500:]} {done.stderr[-500:]}"
        seen: dict[str, Any] = json.loads(html.unescape(found[1]))
        assert seen.keys() == {"390", "1280"}
        return seen

    return look


@pytest.fixture
def small_model() -> Callable[..., VisionTransformer]:
    """A small random model on 3 x 5 patches of 8 pixels, with some fields changed."""

    def make(**fields: Any) -> VisionTransformer:
        sizes = {"image_size": (24, 40), "patch": 8, "width": 24, "depth": 3, "mlp_width": 40}
        torch.manual_seed(0)
        config = ViTConfig(**{**sizes, "heads": 3, "num_classes": 7, "name": "ViT-small", **fields})
        model = create_model(config)
        for name, parameter in model.named_parameters():
            centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            torch.nn.init.normal_(parameter, centre, 0.3)
        return model.eval()

    return make
