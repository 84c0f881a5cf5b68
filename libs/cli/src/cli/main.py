"""The `rossio` command: its groups, and how its failures look."""

import logging
import sys

import grpc.aio
import rpc
import typer
from errors import RossioError

from cli import audit, directory, dlq, doc, doc_rights, doc_tree, installation, mail, news, notify, stack
from cli.command import shown
from cli.demo.stage import Unmet

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    # Frames and colours are for terminals; a pipe or a log gets lines as they are.
    rich_markup_mode="rich" if sys.stdout.isatty() else None,
    help="Rossio: mail, documents, news and notices for a whole ministry.",
)
app.add_typer(mail.app, name="mail")
doc.app.add_typer(doc_tree.app)
doc.app.add_typer(doc_rights.app)
app.add_typer(doc.app, name="doc")
app.add_typer(news.app, name="news")
app.add_typer(notify.app, name="notify")
app.add_typer(directory.app, name="directory")
app.add_typer(audit.app, name="audit")
app.add_typer(dlq.app, name="dlq")
app.command()(stack.up)
app.command()(stack.demo)
app.command()(stack.token)
app.command()(stack.trace)
app.command()(installation.prepare)
app.command()(installation.check)


def main() -> None:
    """Runs a command; a failure is one line that says what to do, and exit status 1."""
    # What the broker's client logs comes back as an error too, and is said once.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    try:
        app()
    except (RossioError, Unmet) as error:
        sys.exit(shown(f"rossio: {error}", but="\n"))
    except grpc.aio.AioRpcError as error:
        sys.exit(shown(f"rossio: {rpc.error_of(error)}", but="\n"))
    except OSError as error:
        sys.exit(shown(f"rossio: {error.filename}: {error.strerror}" if error.filename else f"rossio: {error}"))


if __name__ == "__main__":
    main()
