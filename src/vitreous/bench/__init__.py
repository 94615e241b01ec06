"""How fast models are, beside the same models in other people's code and beside what a machine can.

`plan` lists cases; `run` gives each to a process of its own (`worker`), which builds the subjects
with equal weights, compares their logits, and times them in turns; `table` and `growth` say it.
"""
