"""The command ``cnndsl``, or ``python -m cnndsl``."""

import gc
import signal
import sys

#: The new objects after which Python looks for cycles, by default 700. Imports and compiles make hardly any cycles.
COLLECT_AFTER = 100_000


def main() -> None:
    """Runs the command line. Ctrl-C ends it quietly, also while it is being imported."""
    gc.set_threshold(COLLECT_AFTER)
    try:
        from cnndsl.cli import main

        main()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except RuntimeError as error:  # what Python 3.11 raises for anything in the `__set_name__` of an attribute
        if not isinstance(error.__cause__, KeyboardInterrupt):
            raise
        sys.exit(128 + signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is ending: another Ctrl-C would only break that
        gc.freeze()  # when Python ends, it would look through everything once more


if __name__ == "__main__":
    main()
