import weakref
from collections.abc import Callable

import pytest
import torch

from vitreous.errors import UserError
from vitreous.model.recording import Recording
from vitreous.model.vit import VisionTransformer

Images = Callable[..., torch.Tensor]
Shaken = Callable[..., VisionTransformer]


@pytest.mark.parametrize(
    "fields", [{}, {"pooling": "mean"}, {"pooling": "mean", "class_token": False}]
)
@pytest.mark.parametrize(
    "asked",
    [
        {"attention": "all"},
        {"tokens": [-1]},
        {"attention": [2]},
        {"queries": "all"},
        {"neurons": [2]},
        {"attention": "all", "tokens": "all", "queries": "all", "keys": "all", "values": "all"},
    ],
)
def test_logits_are_those_without_a_recording(
    shaken: Shaken, images: Images, fields: dict[str, object], asked: dict[str, object]
) -> None:
    model = shaken(torch.float64, **fields).eval()
    x = images(dtype=torch.float64)
    with torch.no_grad():
        recorded = model(x, recording=Recording(**asked))
        torch.testing.assert_close(recorded, model(x), atol=1e-12, rtol=0)


def test_rows_of_attention_sum_to_one(shaken: Shaken, images: Images) -> None:
    recording = Recording(attention="all")
    shaken().eval()(images(), recording=recording)
    assert list(recording.attention) == [0, 1, 2]
    assert not recording.tokens
    for weights in recording.attention.values():
        assert weights.shape == (2, 3, 16, 16)
        assert weights.min() >= 0
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 16))
    assert recording.grid == (3, 5)
    assert recording.prefix == 1


def test_layers_count_from_either_end(shaken: Shaken, images: Images) -> None:
    recording = Recording(attention=[-1, 2], tokens=(0, -2))
    shaken().eval()(images(), recording=recording)
    assert list(recording.attention) == [2]
    assert list(recording.tokens) == [0, 1]


def test_tokens_of_the_last_layer_are_all_there(shaken: Shaken, images: Images) -> None:
    """Although the head reads one of them only."""
    model, x = shaken().eval(), images()
    recording = Recording(tokens="all")
    logits = model(x, recording=recording)
    assert {layer: t.shape for layer, t in recording.tokens.items()} == dict.fromkeys(
        range(3), torch.Size([2, 16, 24])
    )
    read_off = model.head(model.encoder.norm(recording.tokens[2])[:, 0])
    torch.testing.assert_close(read_off, logits)
    torch.testing.assert_close(model.encoder.blocks[2](recording.tokens[1]), recording.tokens[2])


@pytest.mark.parametrize("layer", [3, -4])
def test_a_layer_that_the_model_lacks_is_refused(
    shaken: Shaken, images: Images, layer: int
) -> None:
    with pytest.raises(UserError, match=f"no layer {layer} to record tokens of: .* 0 to 2"):
        shaken()(images(), recording=Recording(tokens=[0, layer]))


@pytest.mark.parametrize("nothing", [[], (), iter(())])
def test_a_recording_of_nothing_is_refused(nothing: list[int]) -> None:
    with pytest.raises(UserError, match="must ask for something"):
        Recording(attention=nothing)


def test_it_serves_again_and_forgets_the_pass_before(shaken: Shaken, images: Images) -> None:
    model, recording = shaken().eval(), Recording(attention=iter([0]))
    model(images(), recording=recording)
    model(images(1, 3, 16, 16), recording=recording)
    assert recording.attention[0].shape == (1, 3, 5, 5)
    assert recording.grid == (2, 2)


def test_it_keeps_the_graph(shaken: Shaken, images: Images) -> None:
    model, recording = shaken().eval(), Recording(attention=[0])
    model(images(), recording=recording)
    recording.attention[0][:, :, 0, 1].sum().backward()
    assert model.encoder.blocks[0].attention.qkv.weight.grad.any()


def test_queries_keys_and_values_make_the_attention(shaken: Shaken, images: Images) -> None:
    model = shaken(registers=2).eval()
    recording = Recording(attention=[1], queries=[1], keys=[1], values=[1], tokens=[0, 1])
    with torch.no_grad():
        model(images(), recording=recording)
    q, k, v = recording.queries[1], recording.keys[1], recording.values[1]
    assert q.shape == k.shape == v.shape == (2, 3, 18, 8)
    weights = (q @ k.mT / 8**0.5).softmax(-1)
    torch.testing.assert_close(weights, recording.attention[1])
    block = model.encoder.blocks[1]
    out = block.attention.projection((weights @ v).transpose(1, 2).flatten(2))
    x = recording.tokens[0] + out
    torch.testing.assert_close(x + block.mlp(block.norm_mlp(x)), recording.tokens[1])


def test_layers_are_handed_over_one_by_one_and_dropped(shaken: Shaken, images: Images) -> None:
    seen: list[int] = []
    alive: list[weakref.ref[torch.Tensor]] = []

    def reduce(recording: Recording, layer: int) -> None:
        assert list(recording.attention) == list(recording.tokens) == [layer]
        assert all(before() is None for before in alive), "the layer before is still in memory"
        alive.append(weakref.ref(recording.attention[layer]))
        seen.append(layer)

    model = shaken().eval()
    recording = Recording(attention="all", tokens="all", each=reduce)
    with torch.no_grad():
        logits = model(images(), recording=recording)
        torch.testing.assert_close(logits, model(images()))
    assert seen == [0, 1, 2]
    assert not recording.attention
    assert not recording.tokens


def test_only_layers_that_were_asked_for_are_handed_over(shaken: Shaken, images: Images) -> None:
    seen = []
    recording = Recording(keys=[0, -1], each=lambda recording, layer: seen.append(layer))
    shaken().eval()(images(), recording=recording)
    assert seen == [0, 2]
