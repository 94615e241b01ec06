"""The paper, reproduced: one file a table or figure."""
