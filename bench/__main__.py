"""Run the benchmark: ``python -m bench --rows N [--engine …] [--peer TAP-URL] [--json FILE]``."""

import sys

if __name__ == "__main__":
    # Processes that ask as a crowd import this module too, and need nothing of the rest.
    from bench.run import main

    sys.exit(main())
