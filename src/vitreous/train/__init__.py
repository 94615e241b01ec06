"""From a config to a trained model: the loop and what it needs."""
