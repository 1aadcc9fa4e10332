"""`python -m lambdanb` is the command `lambdanb`, of this interpreter's installation."""

import sys

from lambdanb.cli import main

if __name__ == "__main__":
    sys.exit(main())
