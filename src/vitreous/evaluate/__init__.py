"""Exact numbers about a model on data; no pictures."""
