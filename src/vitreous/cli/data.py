"""Look after a data set, before and between trainings."""

COMMANDS = {
    "preview": "show what the model will see, as a page",
}
