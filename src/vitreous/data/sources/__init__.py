"""Where images and labels lie: one file a kind of storage."""
