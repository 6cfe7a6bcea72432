"""The ``stepwall`` command: Ctrl-C shows no traceback, also while its modules are imported."""

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def main() -> None:
    """Run the command line and exit with its documented code."""
    from profiler.__main__ import main as run

    run()


if __name__ == "__main__":
    main()
