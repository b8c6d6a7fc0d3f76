"""The command line of this folder: `python run.py [command] key=value ...`.

`rpi-mlops` is the same command, if the project is installed. See engine/cli.py for its exit
statuses.
"""

import sys

from engine.start import main

# Hydra's completion for fish looks for the words "@hydra.main" in this file.

if __name__ == "__main__":
    sys.exit(main("python run.py"))
