"""What the machine is and how work is spread over it."""
