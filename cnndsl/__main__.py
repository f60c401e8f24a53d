"""The command ``cnndsl``, or ``python -m cnndsl``."""

import signal
import sys


def main() -> None:
    """Runs the command line. Ctrl-C ends it quietly, also while it is being imported."""
    try:
        from cnndsl.cli import main

        main()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
