"""`python -m ggpfn.train`: see distributed.py."""

import sys

if __name__ != "__main__":
    # As a module it would take the place of the function ggpfn.train.
    raise ImportError("ggpfn.train is a function, and a command; what the command does is in ggpfn.distributed")

from .distributed import main

sys.exit(main())
