"""The same weights in other people's code, where it is installed."""

import pytest
import torch

from needs import needs_vnni
from vitreous.bench import work
from vitreous.bench.case import Case
from vitreous.bench.roster import OURS, PEERS, build_subject
from vitreous.bench.subject import LeftOutError, Subject, randomise
from vitreous.bench.work import prepare
from vitreous.errors import UserError
from vitreous.model.build import create_model
from vitreous.model.classifier import Classifier

pytestmark = pytest.mark.filterwarnings("ignore")
SMALL = {"image_size": 32, "depth": 2, "num_classes": 9, "activation": "gelu"}

PIXELS = torch.randint(0, 256, (3, 3, 32, 32), generator=torch.Generator().manual_seed(1)).byte()


@pytest.fixture(scope="module")
def model() -> Classifier:
    torch.manual_seed(0)
    return randomise(create_model("ViT-Ti/16", **SMALL))


@pytest.fixture(params=[OURS, *PEERS])
def subject(request, model):
    try:
        return build_subject(request.param, model)
    except LeftOutError as reason:
        if "not installed" not in str(reason):
            raise
        pytest.skip(f"{request.param} is {reason}")


def images() -> torch.Tensor:
    return PIXELS / 127.5 - 1


def test_logits_are_the_same(subject, model) -> None:
    twin = subject.twin or model
    with torch.inference_mode():
        found, expected = subject.answer(subject.model, images()), twin(images())
    assert torch.allclose(found, expected, atol=2e-5)
    assert float(expected.std()) > 0.05  # not all alike
    assert (subject.twin is None) == (type(subject.model).__name__ != "ViT")
    assert subject.version[0].isdigit()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_step_moves_the_weights(subject, precision) -> None:
    case = Case(work="training", model="small", precision=precision, batch=3)
    before = [p.detach().clone() for p in subject.model.parameters()]
    job = prepare(subject, case, PIXELS, images(), 9)
    losses = [float(job.run()) for _ in range(3)]
    assert losses[0] > losses[-1] > 0
    after = list(subject.model.parameters())
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True) if a.ndim > 1)
    weights = sum(p.numel() * 4 for p in after)
    assert 3 * weights <= job.held() < 3.1 * weights + 2000  # and Adam's two averages


def test_inference_in_bfloat16_has_weights_of_it(subject) -> None:
    case = Case(work="inference", model="small", precision="bfloat16", batch=3)
    job = prepare(subject, case, PIXELS, images(), 9)
    assert job.run().dtype == torch.bfloat16
    weights = sum(p.numel() * 2 for p in subject.model.parameters())
    assert weights <= job.held() < 1.1 * weights


def test_ours_is_optimised_where_others_are_compiled(model) -> None:
    subject = build_subject(OURS, model)
    case = Case(work="inference", model="small", mode="compiled", batch=3)
    job = prepare(subject, case, PIXELS, images(), 9)
    with torch.inference_mode():
        assert torch.allclose(job.run(), model(images()), atol=1e-4)
    assert job.held() > 0


@pytest.mark.parametrize(("mode", "compiled"), [("eager", False), ("compiled", None)])
def test_ours_is_compiled_no_more_than_the_others(model, monkeypatch, mode, compiled) -> None:
    asked = {}

    def optimize(model, pixels, **options):
        asked.update(options)
        return model

    monkeypatch.setattr(work, "optimize", optimize)
    case = Case(work="inference", model="small", precision="int8", mode=mode, batch=3)
    prepare(build_subject(OURS, model), case, PIXELS, images(), 9)
    assert asked["compiled"] is compiled


@needs_vnni
def test_int8_is_ours_alone(subject) -> None:
    case = Case(work="inference", model="small", precision="int8", batch=3)
    try:
        job = prepare(subject, case, PIXELS, images(), 9)
    except UserError as reason:
        pytest.skip(str(reason))
    assert job.precision == ("int8" if isinstance(subject.model, Classifier) else "bfloat16")
    assert job.run().shape == (3, 9)


def test_by_default_the_others_are_float32(subject) -> None:
    job = prepare(subject, Case(work="default", model="small", batch=3), PIXELS, images(), 9)
    if not isinstance(subject.model, Classifier):
        assert job.precision == "float32"
        assert job.run().dtype == torch.float32
    assert not job.run().requires_grad or job.precision == "float32"


def test_by_default_all_are_called_in_one_context(model) -> None:
    for called in (model, torch.nn.Flatten()):
        seen = []

        def answer(model, images, seen=seen):
            seen.append(torch.is_inference_mode_enabled())
            return images

        subject = Subject("1.0", called, answer)
        prepare(subject, Case(work="default", model="small"), PIXELS, images(), 9).run()
        assert seen == [True]


def test_what_a_package_has_not(model) -> None:
    odd = create_model("ViT-Ti/16", **SMALL | {"activation": "gelu_tanh", "registers": 2})
    for name in ("transformers", "torchvision", "vit-pytorch"):
        with pytest.raises(LeftOutError, match=r"has no model with|not installed"):
            build_subject(name, odd)
    with pytest.raises(LeftOutError, match=r"has no models of kind bit|not installed"):
        build_subject("torchvision", create_model("BiT-R50x1"))
