"""Models made ready to answer: folded, packed, in few bits; each checked against the model."""
