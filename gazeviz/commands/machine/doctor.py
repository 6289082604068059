"""`gazeviz doctor`: what works in this installation, what does not, and what to do about it."""

from __future__ import annotations

import argparse

from gazeviz.commands.terminal import Terminal, escape, table

HELP = "Look at this installation: versions, device, memory, model, system libraries."
_MARKS = {"ok": "[green]✓[/]", "note": "[dim]·[/]", "warning": "[yellow]![/]", "error": "[bold red]✗[/]"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The doctor has no options of its own."""


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Print every finding; 1 if something is broken, else 0."""
    from dataclasses import asdict

    from gazeviz.doctor import examine

    findings = examine(options.model, options.dtype)
    rows = []
    section = ""
    for finding in findings:
        first = "" if finding.section == section else finding.section
        section = finding.section
        value = escape(finding.value)
        if finding.next_step:
            value += f"\n[bold]→[/] {escape(finding.next_step)}"
        rows.append((first, _MARKS[finding.state], escape(finding.name), value))
    broken = any(finding.state == "error" for finding in findings)
    document = {"works": not broken, "findings": [asdict(finding) for finding in findings]}
    terminal.answer(document, table(("", "", "", ""), rows))
    return int(broken)
