"""Look after a data set, before and between trainings."""

COMMANDS = {
    "check": "faults, imbalance, duplicates, doubtful labels; as a table and a page",
    "duplicates": "near-duplicates inside a data set, or between training and test data",
    "preview": "show what the model will see, as a page",
    "shard": "write a data set as shards with an index, at the size that training needs",
    "index": "write the index of shards that others made",
}
