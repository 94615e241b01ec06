"""Pure functions of weights and recordings; numbers, no pictures."""
