"""One console script, one file a verb; a verb is imported when it is called."""
