"""Run ``python -m changtong``."""

import sys

from changtong.cli import main

if __name__ == "__main__":
    sys.exit(main())
