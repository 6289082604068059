"""`gazeviz steer`: one answer beside the same answer with chosen heads pointed at a region."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from gazeviz.commands import inputs
from gazeviz.commands.run_log import open_run_log
from gazeviz.commands.terminal import Terminal, escape, number_or_error, table
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gazeviz.backend.remote.elsewhere import EngineElsewhere
    from gazeviz.domain.messages import ModelInfo
    from gazeviz.domain.region import Region
    from gazeviz.domain.run import Run
    from gazeviz.domain.steering import Schedule, Steering
    from gazeviz.engine.engine import Engine
    from gazeviz.engine.models.description import ModelDescription, Task

HELP = "Point chosen heads at a region of the picture, and compare with the baseline."
MODES = ("boost_suppress", "suppress_image", "suppress_all", "max_suppress_all", "mass", "knock_out")
SCOPES = ("all_rows", "decode_only", "after_image")
RULES = ("centre", "share")


FLAT_STRENGTH = 1000.0
"""From here on bfloat16, with 8 bits for a number, keeps steps of 4 and more: no score of a head is left."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add picture, prompt, heads, target, steering and writing."""
    inputs.add_picture(parser)
    inputs.add_prompt(parser)
    inputs.add_heads(parser)
    target = parser.add_argument_group("target (one of them; mode knock_out needs none)")
    one = target.add_mutually_exclusive_group()
    one.add_argument("--panel", type=int, metavar="K", help="panel of a strip, counted from 1")
    one.add_argument("--box", metavar="x0,y0,x1,y1", help="a box in picture pixels")
    one.add_argument("--mask", metavar="FILE", help="a picture of the same size, white where the region is")
    inputs.add_regions(one)
    inputs.add_target(target)
    inputs.add_layout(target)
    add_steering(parser)
    inputs.add_sampling(parser)


def add_steering(parser: argparse.ArgumentParser, scope: str = "all_rows") -> None:
    """Add how strongly, where and by which rule heads are steered."""
    group = parser.add_argument_group("steering (without --heads as the model's folder recommends)")
    group.add_argument("--mode", choices=MODES, help=f"(default: {MODES[0]})")
    group.add_argument("--strength", metavar="N", help="a number, hard or hard_uniform (default: 8)")
    group.add_argument(
        "--alpha", type=float, help="the target's share of each row, mode mass only (default: .9)"
    )
    group.add_argument(
        "--mean-over", metavar="SET",
        help="mode knock_out: put each head's mean output over these pictures in its place, not zero",
    )  # fmt: skip
    group.add_argument("--scope", choices=SCOPES, help=f"rows that are biased (default: {scope})")
    group.add_argument(
        "--rule", choices=RULES, default=RULES[0],
        help="how a region selects cells: by centre, or by the share that it covers (default: centre)",
    )  # fmt: skip
    group.add_argument("--share", type=float, default=0.5, help="least share of a cell (default: .5)")


def strength_of(text: str) -> float | str:
    """Read a strength: a number, or one of the two named limits."""
    return text if text in ("hard", "hard_uniform") else number_or_error(text, "strength")


def described(engine: Engine | EngineElsewhere) -> ModelInfo | ModelDescription:
    """What is known of a model, here or elsewhere."""
    from gazeviz.backend.remote.elsewhere import EngineElsewhere

    return engine.info if isinstance(engine, EngineElsewhere) else engine.describe_model()


def strength_note(dtype: str, strength: float | str) -> str:
    """What is to be said of a strength that rounding to bfloat16 makes uniform; "" for nothing."""
    if dtype != "bfloat16" or isinstance(strength, str) or strength < FLAT_STRENGTH:
        return ""
    return (
        f"In bfloat16 a strength of {strength:g} rounds away what heads prefer within the target: the paper's"
        " runs at such strengths were uniform over it. --strength hard_uniform says so by name."
    )


def steering_asked(
    options: argparse.Namespace,
    engine: Engine | EngineElsewhere,
    target: Region,
    task: Task,
    schedule: Schedule | None = None,
) -> Steering:
    """Return the steering that the options ask for.

    What they leave open is the paper's; without --heads, what the model's folder recommends.
    """
    from gazeviz.backend.remote.elsewhere import EngineElsewhere
    from gazeviz.domain.steering import Steering

    how: dict[str, Any] = {"mode": MODES[0], "strength": 8.0, "alpha": 0.9}
    how["scope"] = "decode_only" if task == "moving" else "all_rows"
    if options.heads is None:
        advised = inputs.advice(engine, task)
        how |= {"mode": advised.mode, "strength": advised.strength, "alpha": advised.alpha}
        how["scope"] = advised.scope or how["scope"]
    how |= {
        key: getattr(options, key) for key in ("mode", "alpha", "scope") if getattr(options, key) is not None
    }
    if options.strength is not None:
        how["strength"] = strength_of(options.strength)
    heads = inputs.heads(options, engine, task)
    if options.mean_over is not None:
        if isinstance(engine, EngineElsewhere):
            raise UserError(
                "Means cannot be taken on another machine.",
                next_step="Run it there, or leave --mean-over out.",
            )
        from gazeviz.evaluating import open_pictures

        how["means"] = engine.head_means(open_pictures(options.mean_over, engine), heads)
    return Steering(heads, target, rule=options.rule, share=options.share, schedule=schedule, **how)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Answer twice, baseline and steered, and print both with the audit."""
    from gazeviz.commands.output import run_document

    shown = inputs.picture(options.image)
    target, regions = _target(options, shown, terminal)
    sampling = inputs.sampling(options)
    with open_run_log(options, terminal) as log:
        engine = log.open_engine(options)
        steering = steering_asked(options, engine, target, "region" if options.panel is None else "answer")
        if note := strength_note(described(engine).dtype, steering.strength):
            terminal.note(note)
        baseline, steered = (
            log.generate(
                engine, shown, options.prompt, steering=how, max_new_tokens=options.max_new_tokens,
                sampling=sampling, track=steering.heads, regions=regions,
            )
            for how in (None, steering)
        )  # fmt: skip
    terminal.answer(
        {
            "baseline": run_document(baseline, regions),
            "steered": run_document(steered, regions),
            "changed": baseline.token_ids != steered.token_ids,
            **log.document(),
        },
        *_told(baseline, steered, steering, regions),
    )
    log.tell()
    return 0


def _target(
    options: argparse.Namespace, shown: inputs.NamedPicture, terminal: Terminal
) -> tuple[Region, tuple[Region, ...]]:
    """The target, and the regions that tokens are tinted by; a knock-out may have the whole picture."""
    from gazeviz.domain.region import Region

    if options.panel is not None:
        regions = inputs.panels(shown, options.layout)
        return inputs.panel(regions, options.panel), regions
    if options.box is None and options.mask is None and options.regions is None:
        if options.mode != "knock_out":
            raise UserError("No target is named.", next_step="Name one: --panel, --box, --mask or --regions.")
        whole = Region.whole(shown.image.size)
        return whole, (whole,)
    if options.box is not None:
        region = inputs.box(options.box, shown.image)
        return region, (region,)
    named = options.regions if options.regions is not None else options.mask
    regions = inputs.regions_of(named, shown, options.entry, terminal)
    region = inputs.region_called(regions, options.target, named)
    return region, (region,)


def _told(
    baseline: Run, steered: Run, steering: Steering, regions: tuple[Region, ...]
) -> list[RenderableType]:
    from rich.table import Table

    from gazeviz.commands.output import audit_line, ledger_rows, region_key, tinted
    from gazeviz.domain.wording import format_steering

    both = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    both.add_row("[bold]Baseline[/]", tinted(baseline, regions))
    both.add_row("[bold]Steered[/]", tinted(steered, regions))
    both.add_row("", f"[dim]{escape(format_steering(steering))}[/]")
    both.add_row("", f"[dim]{escape(audit_line(steered.audit, steered.junk))}[/]")
    parts: list[RenderableType] = [both]
    if len(regions) > 1:
        parts.append(region_key(regions))
    if steered.audit is not None:
        columns = ("where the attention went", "before", "after", "gained")
        parts += ["", table(columns, ledger_rows(steered.audit), right=(1, 2, 3))]
    return parts
