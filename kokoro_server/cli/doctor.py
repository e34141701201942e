"""Implement `doctor`: report whether this machine can synthesize speech, and what to fix."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

import click
from rich.console import Console
from rich.text import Text

from kokoro_server.cli.checks import CheckStatus, Finding, run_checks
from kokoro_server.cli.options import load_settings

STATUS_STYLES = {CheckStatus.OK: "green", CheckStatus.WARN: "yellow", CheckStatus.FAIL: "bold red"}


@click.command("doctor")
@click.option("--quick", is_flag=True, help="Skip the test synthesis.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def run_doctor(ctx: click.Context, quick: bool, as_json: bool) -> None:
    """Check everything that synthesis needs, download what is missing, and print what to fix.

    The exit code is 1 if a check fails.
    """
    found = run_checks(load_settings(), with_speed=not quick)
    seen = list(found) if as_json else list(_print_findings(found))
    if as_json:
        click.echo(json.dumps([asdict(each) for each in seen], indent=2))
    ctx.exit(1 if any(each.state is CheckStatus.FAIL for each in seen) else 0)


def _print_findings(found: Iterator[Finding]) -> Iterator[Finding]:
    """Print each finding as it comes, and yield it."""
    console = Console(soft_wrap=True)
    for each in found:
        line = Text.assemble((f"{each.state:5}", STATUS_STYLES[each.state]), f"{each.name:10}", each.told)
        console.print(line)
        if each.fix:
            console.print(Text(f"{'':15}-> {each.fix}."))
        yield each
