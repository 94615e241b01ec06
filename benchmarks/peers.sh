#!/bin/sh
# An environment with vitreous and the packages that it is measured against.
#   sh benchmarks/peers.sh DIR      (from the root of the checkout)
set -eu
dir=${1:?usage: sh benchmarks/peers.sh DIR}
export PIP_CONSTRAINT="$PWD/constraints.txt" PIP_DISABLE_PIP_VERSION_CHECK=1
[ -x "$dir/bin/python" ] || "${PYTHON:-python3}" -m venv "$dir"
"$dir/bin/pip" install --quiet --editable .
"$dir/bin/pip" install --quiet --no-deps torchvision==0.28.0
"$dir/bin/pip" install --quiet --requirement benchmarks/peers.txt
if ! "$dir/bin/python" -c 'import torchvision' 2>/dev/null; then
    # Its compiled operators are of a CUDA build and do not load beside a PyTorch without CUDA. Its
    # models need none of them, and import once the two that it adds shapes to are declared.
    site=$("$dir/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    cp benchmarks/torchvision_operators.py "$site/"
    echo 'import torchvision_operators' > "$site/torchvision_operators.pth"
fi
"$dir/bin/python" - <<'END'
import timm, torchvision, transformers
from importlib.metadata import version

print(
    f"timm {timm.__version__}, transformers {transformers.__version__}, "
    f"torchvision {torchvision.__version__}, vit-pytorch {version('vit-pytorch')}"
)
END
