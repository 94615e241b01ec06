"""vitreous: Vision Transformers you can see through.

>>> import vitreous
>>> model = vitreous.create_model("ViT-B/16", num_classes=10)
>>> model = vitreous.load("runs/flowers")
>>> vitreous.predict(model, ["a.jpg", "b.png"])
>>> vitreous.save(model, "model.safetensors")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from vitreous.errors import UserError
    from vitreous.evaluate.predict import Prediction, predict
    from vitreous.export.optimized import optimize
    from vitreous.model.bit_config import BiTConfig
    from vitreous.model.build import create_model
    from vitreous.model.config import ViTConfig
    from vitreous.model.lucidrains import from_lucidrains
    from vitreous.model.recording import Recording
    from vitreous.model.resnet_config import ResNetConfig
    from vitreous.model.variants import list_models
    from vitreous.weights.adapt import adapt
    from vitreous.weights.hub import from_pretrained, push_to_hub
    from vitreous.weights.load import load
    from vitreous.weights.save import save

# Imported when first asked for, so that `import vitreous` and every `--help` are instant.
_HOMES = {
    "BiTConfig": "vitreous.model.bit_config",
    "Prediction": "vitreous.evaluate.predict",
    "Recording": "vitreous.model.recording",
    "ResNetConfig": "vitreous.model.resnet_config",
    "UserError": "vitreous.errors",
    "ViTConfig": "vitreous.model.config",
    "adapt": "vitreous.weights.adapt",
    "create_model": "vitreous.model.build",
    "from_lucidrains": "vitreous.model.lucidrains",
    "from_pretrained": "vitreous.weights.hub",
    "list_models": "vitreous.model.variants",
    "load": "vitreous.weights.load",
    "optimize": "vitreous.export.optimized",
    "predict": "vitreous.evaluate.predict",
    "push_to_hub": "vitreous.weights.hub",
    "save": "vitreous.weights.save",
}

__all__ = [
    "BiTConfig",
    "Prediction",
    "Recording",
    "ResNetConfig",
    "UserError",
    "ViTConfig",
    "__version__",
    "adapt",
    "create_model",
    "from_lucidrains",
    "from_pretrained",
    "list_models",
    "load",
    "optimize",
    "predict",
    "push_to_hub",
    "save",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vitreous' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
