"""This package as a subject."""

import copy

from vitreous import __version__
from vitreous.bench.subject import Subject, plainly
from vitreous.model.classifier import Classifier


def build(model: Classifier) -> Subject:
    """A copy of the model itself."""
    return Subject(__version__, copy.deepcopy(model), plainly)
