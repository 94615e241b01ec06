"""A model made ready to answer as fast as this machine can, and the proof that it still does."""

import copy
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Real, UInt8
from torch import Tensor, nn

from vitreous.data.batch import normalise
from vitreous.errors import UserError
from vitreous.export.float8 import quantise_float8
from vitreous.export.fold import Folded, fold_batch_norm, fold_normalisation, fold_standardisation
from vitreous.export.int8 import quantise
from vitreous.export.pack import pack
from vitreous.model.answering import answering
from vitreous.model.classifier import Classifier, check_classifier
from vitreous.model.vit import VisionTransformer
from vitreous.parallel.device import Engine, choose_engine
from vitreous.weights.passport import Passport, passport_of

_LOG = logging.getLogger("vitreous")

# How far features may be from the plain model's: |difference| / |features|, per image.
TOLERANCE = {"float32": 1e-4, "bfloat16": 0.05, "int8": 0.2, "float8": 0.2}

# The precision of what is not quantised.
_AROUND = {"int8": "float32", "float8": "bfloat16"}


@dataclass(frozen=True)
class Agreement:
    """An optimised model beside the plain one in float32, on the images it was made with.

    Attributes:
        images: How many.
        features: Largest |difference| / |features| of an image, of what the head reads.
        logits: Largest |difference| of a logit.
        same_top1: Images with the same most probable class.
    """

    images: int
    features: float
    logits: float
    same_top1: int


class Optimized(nn.Module):
    """From bytes to logits: frozen, normalisation inside, in the precision chosen.

    Attributes:
        engine: Device and precision, and why.
        precision: Of the encoder's products: the engine's, `int8` or `float8`.
        agreement: With the model it was made from.
        passport: Of that model.
    """

    def __init__(
        self, pixels: nn.Module, model: Classifier, engine: Engine, passport: Passport
    ) -> None:
        super().__init__()
        self.pixels, self.model = pixels, model
        self.engine, self.passport = engine, passport
        self.precision: str = engine.precision
        self.agreement: Agreement | None = None
        self._choose_way(compiled=False, replayed=False)
        self.eval()

    def _choose_way(self, *, compiled: bool, replayed: bool) -> None:
        """How pixels are embedded: by a compiler or not, and that as a graph or not."""
        self._compiled, self._replayed = compiled, replayed
        self._embed: Callable[[Tensor], Tensor] = self._from_pixels
        if not compiled:
            return
        mode = "reduce-overhead" if replayed else None
        self._embed = torch.compile(self._from_pixels, mode=mode)
        if self.engine.device.type != "cuda":
            import torch._inductor.config as inductor  # slow to import

            # Frozen, Inductor packs weights too. Around each call: another size of images is
            # compiled when it comes.
            self._embed = inductor.patch(freezing=True)(self._embed)

    def __getstate__(self) -> dict[str, Any]:
        """What a compiler made is left out; a copy makes its own."""
        return {name: value for name, value in self.__dict__.items() if name != "_embed"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Chooses the same way again."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._choose_way(compiled=self._compiled, replayed=self._replayed)

    def train(self, mode: bool = True) -> "Optimized":
        """Stays in evaluation: there is nothing left to train."""
        return super().train(False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Optimized":
        """What casts and moves go through: refused, unless they change nothing."""
        for tensor in (*self.parameters(), *self.buffers()):
            here = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
            there = fn(here)
            if (there.dtype, there.device) != (here.dtype, here.device):
                raise UserError(
                    "an optimised model keeps its device and precision: optimize again, with "
                    "device= or precision="
                )
        return self

    @torch.inference_mode()
    def forward(self, images: Real[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """Classify.

        Args:
            images: Pixels as they are, bytes, of any size that the model takes.

        Returns:
            Float32 logits, or features where the model has no head.

        Raises:
            UserError: The images are no bytes, no tensor, or of other channels.
        """
        with torch.autocast(self.engine.device.type, enabled=False):  # the caller's
            return self.model.head(self.embed(images))

    @torch.inference_mode()
    def embed(self, images: Real[Tensor, "B C H W"]) -> Float[Tensor, "B R"]:
        """What the head reads; see `forward`."""
        _check_tensor(images, "an optimised model")
        if images.dtype != torch.uint8:
            raise UserError(
                f"an optimised model takes uint8 pixels and got {str(images.dtype)[6:]}: "
                "it normalises by itself"
            )
        if images.ndim != 4:
            raise UserError(
                f"an optimised model takes pixels (B, C, H, W) and got {tuple(images.shape)}: "
                "images[None] is a batch of one"
            )
        self.model.config.check_channels(images.shape[1])
        with (
            torch.autocast(self.engine.device.type, enabled=False),  # the caller's
            self.engine.exact(),  # outside of what is compiled, which cannot follow its change
        ):
            features = self._embed(images.to(self.engine.device))
        # A graph writes to the same place each time.
        return features.clone() if self._replayed else features

    def _from_pixels(self, images: UInt8[Tensor, "B C H W"]) -> Float[Tensor, "B R"]:
        x = self.pixels(images)
        if isinstance(self.pixels, Folded):
            return self.model.embed(x).float()
        with self.engine.autocast():  # convolutions stand before the encoder, or are all
            return self.model.embed(x).float()


class _Cast(nn.Module):
    """Numbers of another type; a border between precisions."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, x: Float[Tensor, "*S D"]) -> Float[Tensor, "*S D"]:
        return x.to(self.dtype)


def optimize(
    model: Classifier,
    images: Real[Tensor, "..."],
    *,
    device: str = "auto",
    precision: str = "auto",
    compiled: bool | None = None,
) -> Optimized:
    """A copy of a model for inference alone, fitted to images of this number and size.

    >>> fast = vitreous.optimize(model, images)  # uint8, as they come from the decoder
    >>> logits = fast(images)

    Frozen; the normalisation of its passport folded into the patch embedding; the encoder in the
    precision that is fastest here, the head in float32, and on a CPU the embedding too; on a CPU
    the weights packed as its kernel reads them, on a GPU the model compiled, and small batches
    replayed as CUDA graphs.
    Warm when it comes back, and checked against the plain model in float32. `int8` and `float8`
    cost accuracy, which `agreement` shows: give images of the kind that will come, some tens.

    Args:
        model: Is left as it is. One of another precision is made float32 first.
        images: uint8 (B, C, H, W), examples of what will come; answers are compared on these.
        device: `auto` (a GPU where there is one), or a name torch knows.
        precision: `auto`, `float32`, `bfloat16`; or, of a Vision Transformer, `int8` on a CPU and
            `float8` on a GPU of Ada's or Hopper's kind or later.
        compiled: Whether torch.compile runs; by default on a GPU.

    Raises:
        UserError: The model is none of vitreous, the images do not fit it, there is no such device
            or precision here, or the answers are too far apart or not finite.
    """
    check_classifier(model, "optimize")
    _check_tensor(images, "optimize")
    if images.dtype != torch.uint8 or images.ndim != 4 or not len(images):
        raise UserError(
            f"optimize takes uint8 images (B, C, H, W) and got {str(images.dtype)[6:]} "
            f"{tuple(images.shape)}: give pixels as decoded, one or more"
        )
    model.config.check_channels(images.shape[1])
    if precision not in ("auto", *TOLERANCE):
        raise UserError(f"precision {precision!r}: choose auto, {', '.join(TOLERANCE)}")
    engine = choose_engine(device, _AROUND.get(precision, precision))
    if precision == "int8":
        _check_int8(model, engine, compiled)
    elif precision == "float8":
        _check_float8(model, engine)
    passport = passport_of(model)
    rule = passport.preprocessing
    if any(parameter.dtype != torch.float32 for parameter in model.parameters()):
        model = copy.deepcopy(model).float()  # answers are compared with float32
    ready = copy.deepcopy(model).requires_grad_(False)
    on_gpu = engine.device.type == "cuda"
    halved = on_gpu and engine.precision == "bfloat16"
    pixels = fold_normalisation(
        ready, rule.mean, rule.std, torch.bfloat16 if halved else torch.float32
    )
    fold_standardisation(ready)
    fold_batch_norm(ready)
    if isinstance(ready, VisionTransformer) and engine.precision == "bfloat16":
        _cast_encoder(ready)
    fast = Optimized(pixels.to(engine.device), ready.to(engine.device), engine, passport)
    if precision == "float8":
        assert isinstance(ready, VisionTransformer)
        quantise_float8(ready, lambda: fast(images))
        fast.precision = "float8"
    if on_gpu if compiled is None else compiled:
        # Few images leave a GPU waiting for the next kernel: replayed as a graph, they do not.
        fast._choose_way(compiled=True, replayed=on_gpu and len(images) <= 8)
        fast(images)
    elif isinstance(ready, VisionTransformer) and not on_gpu:
        h, w = ready.config.grid_of((images.shape[2], images.shape[3]))
        rows = len(images) * (ready.config.prefix + h * w)
        if precision == "int8":
            quantise(ready, lambda: fast(images), rows)
            fast.precision = "int8"
        pack(ready.encoder.blocks, rows, whole_last=ready.pool.read is None)
    fast.agreement = _compare(model, fast, images)
    _LOG.info("optimised in %s: %s", fast.precision, engine.reason)
    return fast


def _check_tensor(images: object, taker: str) -> None:
    if not isinstance(images, Tensor):
        raise UserError(
            f"{taker} takes a tensor of uint8 pixels (B, C, H, W) and got {type(images).__name__}: "
            "give torch.as_tensor(images)"
        )


def _check_int8(model: Classifier, engine: Engine, compiled: bool | None) -> None:
    if engine.device.type != "cpu" or compiled or not isinstance(model, VisionTransformer):
        raise UserError(
            "precision int8 is for Vision Transformers on a CPU, uncompiled: choose auto, float32 "
            "or bfloat16"
        )
    if not torch.cpu._is_vnni_supported():
        raise UserError(
            "precision int8: this CPU has no integer products of its own (VNNI): choose auto"
        )


def _check_float8(model: Classifier, engine: Engine) -> None:
    if not isinstance(model, VisionTransformer):
        raise UserError("precision float8 is for Vision Transformers: choose auto or bfloat16")
    if engine.device.type != "cuda" or torch.cuda.get_device_capability(engine.device) < (8, 9):
        raise UserError(
            "precision float8 needs a GPU that multiplies such numbers (compute capability 8.9 or "
            "later): choose auto"
        )


def _cast_encoder(model: VisionTransformer) -> None:
    model.encoder.to(torch.bfloat16)
    model.later_positions.to(torch.bfloat16)
    if model.config.position_at == "layers_shared":
        model.position.to(torch.bfloat16)
    model.embedding_norm = nn.Sequential(model.embedding_norm, _Cast(torch.bfloat16))
    model.encoder.norm = nn.Sequential(model.encoder.norm, _Cast(torch.float32))


@torch.inference_mode()
def _compare(model: Classifier, fast: Optimized, images: UInt8[Tensor, "B C H W"]) -> Agreement:
    device, rule = next(model.parameters()).device, fast.passport.preprocessing
    exact = Engine(device, "float32", "it is compared with").exact()
    with answering(model), torch.autocast(device.type, enabled=False), exact:
        own = model.embed(normalise(images.to(device), rule))
        plain = own.cpu(), model.head(own).cpu()
    if not plain[1].isfinite().all():
        raise UserError(
            f"{fast.passport.origin.get('file', 'this model')} gives logits that are not finite: "
            "its weights are damaged"
        )
    with torch.autocast(fast.engine.device.type, enabled=False):
        features = fast.embed(images)
        logits = fast.model.head(features).cpu()
    apart = (features.cpu() - plain[0]).norm(dim=1) / plain[0].norm(dim=1).clamp_min(1e-12)
    agreement = Agreement(
        images=len(images),
        features=float(apart.max()),
        logits=float((logits - plain[1]).abs().max()),
        same_top1=int((logits.argmax(1) == plain[1].argmax(1)).sum()),
    )
    tolerance = TOLERANCE[fast.precision]
    if not agreement.features <= tolerance:
        raise UserError(
            f"in {fast.precision} the features of an image are {agreement.features:.1e} "
            f"from the plain model's, over {tolerance:g}: use another precision, such as float32"
        )
    return agreement
