"""Hugging Face's `model_type`: those that are read here, and what a bare config leaves to them.

Source: transformers 4 and 5, models/*/configuration_*.py and image_processing_*.py.
"""

import difflib
from collections.abc import Mapping
from typing import Any

from vitreous.errors import UserError
from vitreous.weights import timm_names

READ = (
    "vit",
    "deit",
    "vit_mae",
    "vit_msn",
    "dinov2",
    "dinov2_with_registers",
    "clip",
    "clip_vision_model",
    "siglip",
    "siglip_vision_model",
)
"""The types that are read; `timm_wrapper` is read as the model of timm's inside."""

_OTHERS = {
    "beit": "BEiT, which has relative position biases",
    "data2vec-vision": "data2vec, which has relative position biases",
    "dinov3_vit": "DINOv3, which has rotary positions",
    "dinov3_convnext": "a ConvNeXt trained as DINOv3",
    "siglip2": "SigLIP 2 NaFlex, which takes patches of images of any shape",
    "siglip2_vision_model": "SigLIP 2 NaFlex, which takes patches of images of any shape",
    "swin": "a Swin Transformer, which has shifted windows",
    "swinv2": "a Swin Transformer, which has shifted windows",
    "vit_hybrid": "a hybrid of a ResNet and a ViT",
    "vit-hybrid": "a hybrid of a ResNet and a ViT",
    "ijepa": "I-JEPA, which has no class token",
    "yolos": "YOLOS, which detects objects",
    "vitdet": "ViTDet, which has windows",
    "aimv2": "AIMv2, which has RMS norms and a gated MLP",
    "aimv2_vision_model": "AIMv2, which has RMS norms and a gated MLP",
    "perception_encoder": "a Perception Encoder, which has rotary positions",
    "pe_video": "a Perception Encoder, which has rotary positions",
    "eva02": "EVA-02, which has rotary positions",
    "hiera": "Hiera, which pools between its stages",
    "convnext": "ConvNeXt, which is no transformer",
    "resnet": "a ResNet",
    "vision-encoder-decoder": "an encoder with a decoder of text",
}


def refuse_unread(place: object, said: Mapping[str, Any]) -> None:
    """Refuse a config of Hugging Face whose type is not known to be read here.

    Args:
        place: The file, for the message.
        said: Its config.

    Raises:
        UserError: It names the type, why it is not read where that is known, and the nearest one.
    """
    model_type = str(said["model_type"])
    if model_type in READ:
        if "auto_map" in said:
            raise UserError(
                f"{place}: its config says model_type {model_type} with code of its own "
                f"(auto_map), which may be another model: if it is a plain {model_type}, take "
                "auto_map out of the config"
            )
        return
    name = said.get("architecture")
    if model_type == "timm_wrapper" and isinstance(name, str):
        timm_names.refuse_unread(place, name)
        return
    if model_type.startswith("perception") or "rope" in model_type:
        what = "a model with rotary positions"
    else:
        what = _OTHERS.get(model_type, "")
    reason = f"which is {what}: not read yet" if what else "which is not read here"
    nearest = (*difflib.get_close_matches(model_type, READ, n=1), "vit")[0]
    raise UserError(
        f"{place}: its config says model_type {model_type}, {reason}; nearest that is read is "
        f"{nearest} (read are {', '.join(READ)})"
    )
