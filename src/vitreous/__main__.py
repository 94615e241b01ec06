"""`python -m vitreous`, the same as the console script."""

import sys

from vitreous.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
