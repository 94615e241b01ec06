"""Distillation: labels, and the answers of a trained model to the same images."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from vitreous.data.batch import Batch, denormalise, normalise
from vitreous.data.preprocessing import Preprocessing
from vitreous.model.classifier import Classifier
from vitreous.model.head import DistilledHead
from vitreous.objective.classify import Classification
from vitreous.objective.config import DistillationConfig
from vitreous.objective.contract import Learner, Outcome, Task


class Student(Learner):
    """A model whose head for labels and head for the teacher can be told apart."""

    def forward(
        self, images: Float[Tensor, "B C H W"], *, apart: bool = False
    ) -> Float[Tensor, "B K"] | tuple[Float[Tensor, "B K"], Float[Tensor, "B K"]]:
        """Logits; `apart`, those for labels and those for the teacher, the same of one head."""
        head = self.backbone.head
        if apart and isinstance(head, DistilledHead):
            return head.apart(self.backbone.embed(images))
        logits: Tensor = self.backbone(images)
        return (logits, logits) if apart else logits


class Teacher:
    """A trained model, asked about images that were made ready for another.

    Args:
        model: Of any kind; put into inference mode, without gradients.
        rule: How its images are normalised, and their size.
        columns: Of its logits, one for each of the student's classes.
    """

    def __init__(
        self, model: Classifier, rule: Preprocessing, columns: Int64[Tensor, " K"]
    ) -> None:
        self.model = model.eval().requires_grad_(False)
        self.rule, self.columns = rule, columns

    @torch.no_grad()
    def answer(self, images: Float[Tensor, "B C H W"], rule: Preprocessing) -> Float[Tensor, "B K"]:
        """Logits in the student's order of classes.

        Args:
            images: Normalised by the student's `rule`, augmented, at any size.
            rule: The student's.
        """
        pixels = denormalise(images, rule)
        if pixels.shape[2:] != self.rule.size:
            pixels = F.interpolate(pixels, self.rule.size, mode="bilinear", antialias=True)
        logits = self.model(normalise(pixels * 255, self.rule)).float()
        return logits[:, self.columns]


class Distillation:
    """The loss of the labels, and cross-entropy with a teacher's answers, in given shares.

    (1 - w) L(z, y) + w CE(z', argmax t) for hard answers; for soft ones the second term is
    w T^2 KL(softmax(t / T) || softmax(z' / T)). z' = z but for a student with a distillation
    token. Both see the same augmented, mixed images.

    Source: Touvron et al. 2021, "Training data-efficient image transformers", arXiv 2012.12877,
    equations 2 and 3; soft answers: Hinton et al. 2015, arXiv 1503.02531.

    Args:
        config: Shares, and the kind of answers.
        labels: The part of the labels.
        teacher: On the run's device.
    """

    def __init__(
        self, config: DistillationConfig, labels: Classification, teacher: Teacher
    ) -> None:
        self.config, self.labels, self.teacher = config, labels, teacher

    def learner(self, model: Classifier) -> Student:
        """The model, with access to its heads."""
        return Student(model)

    def prepare(self, batch: Batch, draw: np.random.Generator) -> Task:
        """As classification does."""
        return self.labels.prepare(batch, draw)

    def measure(self, model: nn.Module, task: Task) -> Outcome:
        """The loss, accuracy of both heads' mean, and agreement with the teacher."""
        logits, to_teacher = (z.float() for z in model(task.images, apart=True))
        answers = self.teacher.answer(task.images, self.labels.rule)
        with torch.autocast(logits.device.type, enabled=False):
            loss = self.labels.criterion(logits, task.targets)
            loss = loss.lerp(self._answers_loss(to_teacher, answers), self.config.weight)
        mean = (logits + to_teacher).detach()
        right = mean.argmax(1) == task.targets.argmax(1)
        agreed = to_teacher.detach().argmax(1) == answers.argmax(1)
        measures = {"accuracy": right.float().mean(), "agreement": agreed.float().mean()}
        return Outcome(loss, measures)

    def _answers_loss(
        self, logits: Float[Tensor, "B K"], answers: Float[Tensor, "B K"]
    ) -> Float[Tensor, ""]:
        if self.config.answers == "hard":
            return F.cross_entropy(logits, answers.argmax(1))
        heat = self.config.temperature
        told, known = ((z / heat).log_softmax(1) for z in (logits, answers))
        return heat**2 * F.kl_div(told, known, log_target=True, reduction="batchmean")
