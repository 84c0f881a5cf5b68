"""`rossio audit`: verify the chains of audit records, and read them."""

import typer

app = typer.Typer(no_args_is_help=True, help="Verify and read the audit records.")
