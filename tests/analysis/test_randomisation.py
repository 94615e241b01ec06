import torch
from torch import nn

from vitreous.analysis.randomisation import cascading_randomisation
from vitreous.analysis.rollout import rollout
from vitreous.model.recording import Recording
from vitreous.model.vit import VisionTransformer


def test_every_model(model: VisionTransformer, pictures: torch.Tensor) -> None:
    """A map of the image alone never moves; one of attention moves with the blocks."""
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    visited = []

    def draw_maps(network: VisionTransformer) -> dict[str, torch.Tensor]:
        changed = [
            name
            for name, tensor in network.state_dict().items()
            if not torch.equal(tensor, before[name])
        ]
        visited.append(len(changed))
        recording = Recording(attention="all")
        with torch.no_grad():
            network(pictures[:1], recording=recording)
        rolled = rollout(recording)[0].sum(0)[-9:].view(3, 3)
        return {"image": pictures[0, 0, :3, :3], "rollout": rolled}

    found = cascading_randomisation(model, draw_maps)
    assert list(found) == ["head", "block 3", "block 2", "block 1", "patches"]
    assert all(abs(row["image"] - 1) < 1e-9 for row in found.values())
    assert abs(found["head"]["rollout"] - 1) < 1e-9
    assert found["patches"]["rollout"] < 0.99
    assert visited[0] == 0
    assert visited == sorted(visited)
    assert visited[-1] == len(before)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_it_repeats_itself(model: VisionTransformer) -> None:
    def draw_maps(network: VisionTransformer) -> dict[str, torch.Tensor]:
        return {"kernel": network.patch.weight[:4, 0, :, 0]}

    assert cascading_randomisation(model, draw_maps) == cascading_randomisation(model, draw_maps)


def test_a_model_without_blocks() -> None:
    """Its parts from the last to the first; those without weights are no stations."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 9), nn.ReLU(), nn.Linear(9, 16))
    found = cascading_randomisation(network, lambda net: {"out": net(torch.ones(4)).view(4, 4)})
    assert list(found) == ["2", "0"]
    assert found["0"]["out"] < 0.99
