import torch

from vitreous.parallel import collect


def test_alone_everything_is_what_it_was():
    rows = torch.arange(6).view(3, 2)
    assert collect.total([1.0, 2.5]) == [1.0, 2.5]
    assert collect.decide(lambda: {"a": [1]}) == {"a": [1]}
    assert collect.gather_rows(rows) is rows
    assert collect.gather_texts("é") == ["é"]
    assert collect.whole(rows) is collect.shard(rows) is collect.spread(rows, rows) is rows
    assert (collect.rank(), collect.world_size()) == (0, 1)
