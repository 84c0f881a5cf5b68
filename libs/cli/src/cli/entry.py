"""Where the `rossio` command begins: Ctrl-C ends it without a word also while its modules are still loading."""

import signal


def main() -> None:
    interrupt = signal.getsignal(signal.SIGINT)
    if interrupt is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from cli import main as command  # noqa: PLC0415  takes seconds on a busy machine

    signal.signal(signal.SIGINT, interrupt)
    command.main()
