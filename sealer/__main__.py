"""`python -m sealer`: the same as the `sealer` command."""

import sys

from sealer.cli import main

if __name__ == "__main__":
    sys.exit(main())
