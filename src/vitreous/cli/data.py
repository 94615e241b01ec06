"""Look after data before a model sees it."""

VERBS = {
    "shard": "write a data set as shards with an index, at the size that training needs",
    "index": "write the index of shards that others made",
}
"""Verbs of the group; each has a file of its own, such as `data_shard.py`."""
