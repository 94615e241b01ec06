"""Recipes, one file a source: from facts about the data to a whole config."""
