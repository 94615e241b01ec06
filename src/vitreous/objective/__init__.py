"""Batches to a loss and named measures."""
