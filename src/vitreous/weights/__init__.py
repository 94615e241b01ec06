"""Checkpoints to models and back, and the passport that travels with them."""
