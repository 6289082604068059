"""`gazeviz map`: where chosen heads look while the model writes, drawn over the picture."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from gazeviz.commands import inputs
from gazeviz.commands.discover import check_folder
from gazeviz.commands.run_log import open_run_log
from gazeviz.commands.terminal import FilesBeside, Terminal, escape
from gazeviz.domain.wording import quoted_tokens
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from gazeviz.domain.grid import TokenGrid
    from gazeviz.domain.region import Region

HELP = "Draw where heads look at one answer token, or on average over some."
PROMPT = "What is happening in this picture?"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add picture, prompt, heads, tokens and file."""
    inputs.add_picture(parser)
    inputs.add_prompt(parser, PROMPT)
    inputs.add_heads(parser)
    parser.add_argument(
        "--token", default="all", metavar="T",
        help="answer token counted from 0, a range like 2-5, or all (default: all, the mean)",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="the figure: .svg, .pdf or .png"
    )
    target = parser.add_argument_group("regions (outlined, with the attention on each)")
    inputs.add_regions(target)
    inputs.add_target(target)
    inputs.add_sampling(parser)


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Answer, take the rows of the chosen tokens, draw their mean over the picture."""
    from gazeviz.commands.output import run_document
    from gazeviz.engine.generation.read_along import run_map
    from gazeviz.render import figures

    check_folder(options.out)
    wanted = steps_of(options.token)
    shown = inputs.picture(options.image)
    regions = _regions(options, shown, terminal)
    sampling = inputs.sampling(options)
    with open_run_log(options, terminal) as log:
        engine = log.open_engine(options)
        heads = inputs.heads(options, engine)
        if regions:
            regions = _with_cells(regions, engine.grid(shown.image), terminal)
        answer = log.generate(
            engine,
            shown,
            options.prompt,
            max_new_tokens=options.max_new_tokens,
            sampling=sampling,
            track=heads,
            regions=regions,
        )
    steps = range(len(answer.tokens)) if wanted is None else wanted
    map_HW = run_map(answer, steps)
    tokens = [answer.tokens[step] for step in steps]
    text = quoted_tokens(tokens, engine.special_tokens)
    named = str(heads) if len(heads) <= 4 else f"{len(heads)} heads ({heads.origin})"
    title = f"{named}   token {options.token} {text}" if wanted is not None else f"{named}   {text}"
    files = FilesBeside()
    files.write(
        lambda: figures.save(figures.picture_overlay(shown.image, map_HW, regions, title=title), options.out)
    )
    rows_P = answer.rows_THP[list(steps)].mean(axis=(0, 1))
    masses = {region.name: round(float(rows_P[answer.grid.tokens(region)].sum()), 6) for region in regions}
    document = {
        "heads": [str(head) for head in heads],
        "tokens": list(steps),
        "read": "".join(token.text for token in tokens).strip(),
        "grid": answer.grid.shape_RC,
        "attention": [round(float(value), 6) for value in rows_P],
        "image_mass": round(float(rows_P.sum()), 6),
        **({"region_mass": masses} if regions else {}),
        "run": run_document(answer),
        "written": [str(path) for path in files.written],
        **log.document(),
    }
    mass = f"mass on the image {rows_P.sum():.2f}, highest cell {rows_P.max():.2f}"
    lines = [f"{escape(name)}: mass {value:.2f}" for name, value in masses.items()]
    lines += [f"wrote {escape(str(path))}" for path in files.written]
    terminal.answer(document, escape(title), f"[dim]{mass}[/]", *lines)
    log.tell()
    files.settle()
    return 0


def _regions(
    options: argparse.Namespace, shown: inputs.NamedPicture, terminal: Terminal
) -> tuple[Region, ...]:
    """The regions that the attention on is told: all of a file, or the one that --target names."""
    if options.regions is None:
        if options.target is not None:
            raise UserError("There is no file of regions for --target.", next_step="Name it: --regions FILE.")
        return ()
    regions = inputs.regions_of(options.regions, shown, options.entry, terminal)
    if options.target is None:
        return regions
    return (inputs.region_called(regions, options.target, options.regions),)


def _with_cells(regions: tuple[Region, ...], grid: TokenGrid, terminal: Terminal) -> tuple[Region, ...]:
    """Those of the regions that hold a cell of the grid; what is said of the others is no reason to stop."""
    kept = []
    for region in regions:
        try:
            grid.tokens(region)
        except UserError as error:
            terminal.warn(error.sentence)
        else:
            kept.append(region)
    return tuple(kept)


def steps_of(text: str) -> range | None:
    """Read "3", "2-5" or "all" (None); UserError for anything else."""
    if text == "all":
        return None
    match = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", text.strip())
    if match is None or (match[2] and int(match[2]) < int(match[1])):
        raise UserError(
            f"“{text}” names no answer token.", next_step="Write --token 3, --token 2-5 or --token all."
        )
    return range(int(match[1]), int(match[2] or match[1]) + 1)
