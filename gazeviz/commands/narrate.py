"""`gazeviz narrate`: a long answer while the target moves from panel to panel along a schedule."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gazeviz.commands import inputs
from gazeviz.commands.discover import check_folder
from gazeviz.commands.run_log import open_run_log
from gazeviz.commands.steer import add_steering, wish
from gazeviz.commands.terminal import FilesBeside, Terminal, escape
from gazeviz.domain.prompts import NARRATION_PROMPT
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gazeviz.domain.region import Region
    from gazeviz.domain.run import Run

HELP = "Let the model narrate a strip while the target moves along a schedule of panels."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add picture, schedule, heads, steering and writing."""
    inputs.add_picture(parser)
    inputs.add_prompt(parser, NARRATION_PROMPT)
    parser.add_argument(
        "--schedule",
        required=True,
        metavar="K,K,...",
        help="panels in the order of their turns, like 4,2,1,6,5,3",
    )
    parser.add_argument(
        "--every", type=int, default=12, metavar="N", help="answer tokens per turn (default: 12)"
    )
    inputs.add_layout(parser)
    inputs.add_heads(parser)
    add_steering(parser, scope="decode_only")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="the staircase as .svg, .pdf or .png")
    inputs.add_sampling(parser, max_new_tokens=None)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Write the steered narration, say what each turn told, and draw the staircase if asked."""
    from gazeviz.commands.output import run_document
    from gazeviz.domain.steering import Schedule

    check_folder(options.figure)
    shown = inputs.picture(options.image)
    regions = inputs.panels(shown, options.layout)
    turns = [inputs.panel(regions, number) for number in schedule_of(options.schedule)]
    schedule = Schedule.every(options.every, turns)
    sampling = inputs.sampling(options)
    length = options.every * len(turns) if options.max_new_tokens is None else options.max_new_tokens
    with open_run_log(options, terminal) as log:
        engine = log.open_engine(options)
        steering = wish(options, engine, turns[0], "moving", schedule)
        with terminal.progress("narrating") as report:
            narrated = log.generate(
                engine, shown, options.prompt, steering=steering, max_new_tokens=length,
                sampling=sampling, regions=regions,
                on_step=lambda step: report(f"narrating, at {step.target}", (step.index + 1) / length),
            )  # fmt: skip
    document = run_document(narrated, regions) | {"turns": turns_of(narrated)} | log.document()
    files = FilesBeside()
    if options.figure is not None:
        files.write(lambda: _write_figure(options.figure, narrated, regions))
    written = [str(path) for path in files.written]
    terminal.answer(
        document | {"written": written}, *_shown(narrated, regions), *(f"wrote {escape(w)}" for w in written)
    )
    log.tell()
    files.settle()
    return 0


def schedule_of(text: str) -> list[int]:
    """Read "4,2,1,6,5,3"; UserError for anything that is no list of panel numbers."""
    parts = [part for part in text.replace(",", " ").split() if part]
    if not parts or not all(part.isdigit() for part in parts):
        raise UserError(
            f"“{text}” is not a schedule.",
            next_step="Write panel numbers in the order of their turns: 4,2,1,6,5,3.",
        )
    return [int(part) for part in parts]


def turns_of(run: Run) -> list[dict[str, Any]]:
    """Return what the answer says while each target holds: first token, target, text."""
    turns: list[dict[str, Any]] = []
    for step in run.tokens:
        if not turns or turns[-1]["target"] != step.target:
            turns.append({"from_token": step.index, "target": step.target, "text": ""})
        turns[-1]["text"] += step.text
    return [turn | {"text": turn["text"].strip()} for turn in turns]


def target_blocks(run: Run) -> list[tuple[int, str]]:
    """Return where each target's turn begins: (answer token, region name), "" for none."""
    return [(turn["from_token"], turn["target"] or "") for turn in turns_of(run)]


def panel_marks(run: Run) -> list[tuple[int, str]]:
    """Return where the text itself says "Panel k": (answer token, "Panel k")."""
    marks = []
    for step, after in zip(run.tokens, run.tokens[1:], strict=False):
        if step.text.strip().lower() == "panel" and after.text.strip().isdigit():
            marks.append((step.index, f"Panel {after.text.strip()}"))
    return marks


def _write_figure(path: Path, run: Run, regions: Sequence[Region]) -> Path:
    from gazeviz.render import figures

    figure = figures.staircase(run.trajectory(regions), regions, target_blocks(run), panel_marks(run))
    return figures.save(figure, path)


def _shown(run: Run, regions: Sequence[Region]) -> list[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    from gazeviz.commands.output import audit_line, region_key, tinted
    from gazeviz.domain.region import region_colour
    from gazeviz.domain.wording import format_steering

    names = [region.name for region in regions]
    rows = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for column in ("token", "target", "told"):
        rows.add_column(column)
    for turn in turns_of(run):
        place = names.index(turn["target"]) if turn["target"] in names else 0
        colour = regions[place].colour or region_colour(place)
        rows.add_row(
            str(turn["from_token"]), Text(turn["target"] or "none", style=colour), Text(turn["text"])
        )
    steering = run.request.steering
    line = format_steering(steering) if steering else ""
    audit = audit_line(run.audit, run.junk)
    return [rows, "", tinted(run, regions), region_key(regions), f"[dim]{escape(line)}\n{escape(audit)}[/]"]
