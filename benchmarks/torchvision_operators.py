"""Lets torchvision's Python import without its compiled library; see peers.sh."""

import importlib.abc
import sys


class _Declare(importlib.abc.MetaPathFinder):
    """Declares the operators at the moment when torchvision is first asked for."""

    kept: object = None

    def find_spec(self, name, path=None, target=None):
        """Find nothing; the next finder will."""
        if name == "torchvision":
            sys.meta_path.remove(self)
            from torch.library import Library

            _Declare.kept = library = Library("torchvision", "FRAGMENT")
            for operator in ("nms", "qnms"):
                library.define(f"{operator}(Tensor dets, Tensor scores, float iou) -> Tensor")


sys.meta_path.insert(0, _Declare())
