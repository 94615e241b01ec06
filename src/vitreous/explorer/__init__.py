"""The page in the browser where one looks inside a model."""
