"""`gazeviz demo`: the whole loop on the built-in model, told step by step, with its controls and figures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gazeviz.commands import inputs
from gazeviz.commands.terminal import Terminal, escape, table
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gazeviz.demo import Condition, Demonstration

HELP = "Show the whole loop on the built-in model: find gaze heads, steer them, compare with controls."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add sizes and the folder of the figures."""
    parser.add_argument(
        "--out", type=Path, default=Path("gazeviz-demo"), metavar="FOLDER",
        help="for ranking and figures (default: gazeviz-demo)",
    )  # fmt: skip
    parser.add_argument(
        "--strips", type=int, default=24, metavar="N", help="strips to find heads on (default: 24)"
    )
    parser.add_argument("--top", type=int, metavar="N", help="heads to steer (default: one in eight)")
    parser.add_argument(
        "--strip", type=int, default=0, metavar="K", help="which strip is asked about (default: 0)"
    )


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Run the demonstration, write its figures, tell it."""
    if options.strips < 1 or options.strip < 0:
        raise UserError(
            "There is nothing to show.", next_step="Give --strips 1 or more and --strip 0 or more."
        )
    folder = _made(options.out.expanduser())
    engine = inputs.load_engine(options, terminal)
    from gazeviz.demo import demonstrate

    with terminal.progress("demonstration") as report:
        demo = demonstrate(engine, options.strips, options.strip, options.top, report)
    written = _write(folder, demo)
    document = _document(demo) | {"model": str(engine.describe_model()), "written": [str(p) for p in written]}
    terminal.answer(document, f"[dim]{escape(document['model'])}[/]", *_story(demo, written))
    return 0


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder {folder} cannot be made: {error.strerror}.", next_step="Choose another with --out."
        ) from error
    return folder


def _write(folder: Path, demo: Demonstration) -> list[Path]:
    """Write ranking, grid, the best head's matrix, the staircase and one steered map."""
    from gazeviz.commands.narrate import panel_marks, target_blocks
    from gazeviz.demo import TURNS
    from gazeviz.engine.trajectory import run_map
    from gazeviz.render import figures

    panels, number, told = demo.strip.panels, TURNS[0], demo.narration
    steered = demo.steered[number - 1]
    drawn = {
        "head-grid.svg": figures.head_grid(demo.ranking, demo.chosen),
        "best-head-matrix.svg": figures.head_matrix(demo.ranking, demo.ranking.order()[0]),
        "staircase.svg": figures.staircase(
            told.trajectory(panels), panels, target_blocks(told), panel_marks(told)
        ),
        "steered-map.png": figures.picture_overlay(
            demo.strip.image, run_map(steered), [panels[number - 1]],
            f"steered to panel {number}: “{steered.text}”", numbers=[number],
        ),
    }  # fmt: skip
    demo.ranking.save(folder / "ranking.json")
    return [folder / "ranking.json", *(figures.save(figure, folder / name) for name, figure in drawn.items())]


def _document(demo: Demonstration) -> dict[str, Any]:
    from gazeviz.commands.narrate import turns_of
    from gazeviz.demo import QUESTION, verdict

    facts = demo.strip.facts
    return {
        "heads": [str(head) for head in demo.chosen],
        "split_half_overlap": demo.ranking.split_half_overlap(len(demo.chosen)),
        "question": QUESTION,
        "baseline": {"text": demo.baseline.text, "panel": verdict(demo.baseline.text, facts).panel},
        "steered": [
            {
                "target": number,
                "caption": caption,
                "text": run.text,
                "panel": verdict(run.text, facts).panel,
                "attributes": verdict(run.text, facts).n_attributes,
                "audit": run.audit and run.audit.to_json(),
            }
            for number, (caption, run) in enumerate(
                zip(demo.strip.captions, demo.steered, strict=True), start=1
            )
        ],
        "conditions": [vars(condition) | {"accuracy": condition.accuracy} for condition in demo.conditions],
        "percentile_among_random_draws": demo.percentile,
        "bias_zero_equals_baseline": demo.bias_zero_equals_baseline,
        "narration": {"text": demo.narration.text, "turns": turns_of(demo.narration)},
    }


def _story(demo: Demonstration, written: list[Path]) -> list[RenderableType]:
    from gazeviz.commands.narrate import turns_of
    from gazeviz.demo import NARRATION, QUESTION
    from gazeviz.render.palette import figure_text

    n_heads = len(demo.chosen)
    best = ", ".join(
        f"{head} {figure_text(demo.ranking.score(head))}" for head in demo.ranking.order()[: min(6, n_heads)]
    )
    agreed = demo.ranking.split_half_overlap(n_heads)
    turns = [
        (str(turn["from_token"]), turn["target"] or "", escape(turn["text"]))
        for turn in turns_of(demo.narration)
    ]
    return [
        f"\n[bold]1  Gaze heads[/]  the {n_heads} of {len(demo.ranking.order())} heads that look most "
        f"at the panel asked about\n   {best} ...   "
        f"[dim]both halves of the strips agree on {agreed} of {n_heads}[/]",
        f"\n[bold]2  One question, no panel named[/]  “{escape(QUESTION)}”",
        _answers(demo),
        "\n[bold]3  Controls[/]  [dim]how often the answer describes the heads' target; chance .17[/]",
        _controls(demo),
        f"\n[bold]4  A narration, the target moved every few tokens[/]  “{escape(NARRATION)}”",
        table(("token", "target", "told"), turns, right=(0,)),
        "\n[bold]5  Written[/]",
        *(f"   {escape(str(path))}" for path in written),
    ]


def _answers(demo: Demonstration) -> RenderableType:
    """Baseline and steered answers beside the true captions, each with the exact judge's verdict."""
    from gazeviz.demo import verdict
    from gazeviz.render.palette import figure_text

    said = verdict(demo.baseline.text, demo.strip.facts)
    rows = [
        (
            "baseline",
            "",
            escape(demo.baseline.text),
            f"panel {said.panel or '?'}",
            f"{said.n_attributes} / 4",
            "",
        )
    ]
    for number, (caption, run) in enumerate(zip(demo.strip.captions, demo.steered, strict=True), start=1):
        said = verdict(run.text, demo.strip.facts)
        mark = "[green]✓[/]" if said.panel == number else "[red]✗[/]"
        mass = "" if run.audit is None else (
            f"{figure_text(run.audit.mass_before)} → {figure_text(run.audit.mass_after)}"
        )  # fmt: skip
        judged = f"{mark} panel {said.panel or '?'}"
        rows.append(
            (f"→ panel {number}", caption, escape(run.text), judged, f"{said.n_attributes} / 4", mass)
        )
    return table(("", "what is drawn there", "answer", "exact judge", "stated", "mass on target"), rows)


def _controls(demo: Demonstration) -> RenderableType:
    from gazeviz.render.palette import figure_text

    gaze, *_ = demo.conditions
    draws = [draw.accuracy for draw in demo.random_draws]
    rows = [_control_row(gaze, f"{len(demo.chosen)} heads")]
    spread = f"{len(draws)} draws, {figure_text(min(draws))} to {figure_text(max(draws))}"
    junk = sum(draw.n_junk for draw in demo.random_draws)
    average = figure_text(sum(draws) / len(draws))
    rows.append(
        ("random heads", average, "", str(junk), f"{spread}; gaze beats {demo.percentile:.0%} of them")
    )
    named = {condition.name: condition for condition in demo.conditions}
    rows.append(_control_row(named["lowest scores"], f"{len(demo.chosen)} heads"))
    rows.append(_control_row(named["all heads"], f"{len(demo.ranking.order())} heads"))
    same = (
        "equals the baseline to the last bit"
        if demo.bias_zero_equals_baseline
        else "[red]differs from the baseline[/]"
    )
    rows.append(("bias 0", "", "", "", same))
    return table(("", "target told", "all four", "junk", ""), rows, right=(1, 2, 3))


def _control_row(condition: Condition, note: str) -> tuple[str, str, str, str, str]:
    from gazeviz.render.palette import figure_text

    complete = figure_text(condition.n_complete / condition.n_answers)
    answers = f"{condition.n_answers} answers, {note}"
    return condition.name, figure_text(condition.accuracy), complete, str(condition.n_junk), answers
