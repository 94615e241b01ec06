"""What a test needs of the machine, and is skipped without, said aloud."""

import pytest
import torch

needs_vnni = pytest.mark.skipif(
    not torch.cpu._is_vnni_supported(),
    reason="this processor has no integer products of its own (VNNI)",
)
