"""Look after a data set, before and between trainings."""

COMMANDS = {
    "shard": "write a data set as shards with an index, at the size that training needs",
    "index": "write the index of shards that others made",
}
