"""`rossio dlq`: dead letters, listed, shown, redriven or dropped."""

import typer

app = typer.Typer(no_args_is_help=True, help="List, show, redrive or drop dead letters.")
