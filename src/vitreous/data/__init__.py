"""Bytes to batches: storage, decoding, transforms and the loader; nothing of models."""
