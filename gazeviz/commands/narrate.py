"""`gazeviz narrate`: a long answer while the target moves from panel to panel along a schedule."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gazeviz.commands import inputs
from gazeviz.commands.discover import check_folder
from gazeviz.commands.run_log import open_run_log
from gazeviz.commands.steer import add_steering, described, steering_asked, strength_note
from gazeviz.commands.terminal import FilesBeside, Terminal, escape
from gazeviz.domain.prompts import NARRATION_PROMPT
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gazeviz.domain.region import Region
    from gazeviz.domain.run import Run, Step, Trajectory

HELP = "Let the model narrate a strip while the target moves along a schedule of panels."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add picture, schedule, heads, steering and writing."""
    inputs.add_picture(parser)
    inputs.add_prompt(parser, NARRATION_PROMPT)
    parser.add_argument(
        "--schedule",
        metavar="K,K,...",
        help="panels in the order of their turns, like 4,2,1,6,5,3; left out, nothing is steered",
    )
    parser.add_argument(
        "--every", type=int, metavar="N",
        help="answer tokens per turn (default: as many as a caption of the built-in model has, else 50)",
    )  # fmt: skip
    inputs.add_layout(parser)
    inputs.add_heads(parser)
    add_steering(parser, scope="decode_only")
    parser.add_argument(
        "--figure", type=Path, action="append", default=[], metavar="FILE",
        help="the staircase with random heads beside it, as .svg, .pdf or .png, or its data as .csv;"
        " may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--weighted", action="store_true", help="figures weigh each image token by the length of its value"
    )
    inputs.add_sampling(parser, max_new_tokens=None)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Write the steered narration, say what each turn told, and draw the staircase if asked."""
    from gazeviz.commands.output import run_document
    from gazeviz.domain.reproduction import turn_tok
    from gazeviz.domain.steering import Schedule

    for wanted in options.figure:
        check_folder(wanted)
    shown = inputs.picture(options.image)
    regions = inputs.panels(shown, options.layout)
    numbers = () if options.schedule is None else schedule_of(options.schedule)
    turns = [inputs.panel(regions, number) for number in numbers]
    sampling = inputs.sampling(options)
    with open_run_log(options, terminal) as log:
        engine = log.open_engine(options)
        every = turn_tok(str(described(engine).path)) if options.every is None else options.every
        length = every * len(turns or regions) if options.max_new_tokens is None else options.max_new_tokens
        steering, watched = None, None
        if turns:
            steering = steering_asked(options, engine, turns[0], "moving", Schedule.every(every, turns))
            if note := strength_note(described(engine).dtype, steering.strength):
                terminal.note(note)
        else:
            watched = inputs.heads(options, engine, "moving")
        with terminal.progress("narrating") as report:
            narrated = log.generate(
                engine, shown, options.prompt, steering=steering, track=watched, max_new_tokens=length,
                sampling=sampling, regions=regions,
                on_step=lambda step: report(_at(step), (step.index + 1) / length),
            )  # fmt: skip
    document = run_document(narrated, regions) | {"turns": turns_of(narrated)} | log.document()
    files = FilesBeside()
    for wanted in options.figure:
        files.write(partial(write_staircase, wanted, narrated, regions, log.control, options.weighted))
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


def _at(step: Step) -> str:
    return "narrating" if step.target is None else f"narrating, at {step.target}"


def write_staircase(
    path: Path, run: Run, regions: Sequence[Region], control: Run | None, weighted: bool
) -> Path:
    """Write where the heads looked, token by token, with the random heads of the same run dashed."""
    from gazeviz.render import figures

    beside = None if control is None else control.trajectory(regions, weighted)
    shown = run.trajectory(regions, weighted)
    if path.suffix.lower() == ".csv":
        return _write_data(path, run, shown, beside)
    blocks = [block for block in target_blocks(run) if block[1]]
    figure = figures.staircase(shown, regions, blocks, panel_marks(run), control=beside)
    return figures.save(figure, path)


def _write_data(path: Path, run: Run, shown: Trajectory, control: Trajectory | None) -> Path:
    import csv

    from gazeviz.whole_files import written_whole

    with (
        written_whole(path, "data") as unfinished,
        unfinished.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        names = list(shown.names)
        writer.writerow(
            ["token", "text", "target", *names, *(f"{n}, random heads" for n in names if control)]
        )
        for step in run.tokens:
            random = [] if control is None else control.masses_TR[step.index].tolist()
            masses = shown.masses_TR[step.index].tolist()
            writer.writerow([step.index, step.text, step.target or "", *masses, *random])
    return path


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
