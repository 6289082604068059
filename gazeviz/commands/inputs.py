"""What a person names on the command line, turned into pictures, strips, regions, heads and a loaded engine.

Options that several commands share are added here, too, so that they read the same everywhere. It does not
run anything on the model.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gazeviz.commands.terminal import Terminal, number_or_error
from gazeviz.errors import UserError
from gazeviz.user_paths import is_file, is_folder
from gazeviz.user_paths import user_path as user_path

if TYPE_CHECKING:
    from PIL.Image import Image

    from gazeviz.app.editing.found_regions import FoundRegions
    from gazeviz.backend.remote.elsewhere import EngineElsewhere
    from gazeviz.domain.heads import HeadSet
    from gazeviz.domain.messages import StripsSource
    from gazeviz.domain.region import Region
    from gazeviz.domain.run import Sampling
    from gazeviz.domain.strip import Layout, Strip
    from gazeviz.engine.engine import Engine
    from gazeviz.engine.models.description import Recommendation, Task
    from gazeviz.testbed.world.grammar import Fact


_DRAWN = re.compile(r"builtin(?::(\d{1,5}))?(?::(\d{1,9}))?")
_COUNTED_HEADS = re.compile(r".+:\d{1,6}(?:@\d{1,9})?")


@dataclass(frozen=True)
class NamedPicture:
    """A picture with what is known of it: its file, or a drawn strip's layout and its panels' facts and
    captions."""

    image: Image
    name: str
    layout: Layout | None = None
    facts: tuple[Fact, ...] = ()
    captions: tuple[str, ...] = ()
    path: Path | None = None


def add_picture(parser: argparse.ArgumentParser) -> None:
    """Add the picture to look at."""
    parser.add_argument(
        "image", metavar="IMAGE", help="a picture file, or builtin:K for strip K of the comic world"
    )


def add_prompt(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """Add the question or instruction."""
    shown = f" (default: {default})" if default else ""
    parser.add_argument(
        "-p", "--prompt", required=default is None, default=default, help=f"what to ask the model{shown}"
    )


def add_heads(parser: argparse.ArgumentParser) -> None:
    """Add the choice of heads."""
    parser.add_argument(
        "--heads", metavar="HEADS",
        help="a ranking file, mass:10, FILE:10, random:10@seed, heads like L4H1,L3H2, or all (default: what"
        " the model's folder recommends)",
    )  # fmt: skip
    parser.add_argument("--like", metavar="HEADS", help="layers that random heads match, like mass:10")
    parser.add_argument(
        "--top",
        type=int,
        metavar="N",
        help="how many of a ranking, best first (default: 12, or one head in twelve)",
    )


def add_layout(parser: argparse._ActionsContainer) -> None:
    """Add the strip's layout."""
    parser.add_argument(
        "--layout", metavar="RxC", help="rows x columns of panels, like 1x6 (default: found by its gutters)"
    )


def add_sampling(parser: argparse.ArgumentParser, max_new_tokens: int | None = 60) -> None:
    """Add how the answer is written."""
    shown = "as long as its schedule" if max_new_tokens is None else max_new_tokens
    group = parser.add_argument_group("writing")
    group.add_argument(
        "--max-new-tokens",
        type=int,
        default=max_new_tokens,
        metavar="N",
        help=f"longest answer (default: {shown})",
    )
    group.add_argument(
        "--temperature", type=float, default=0.0, help="0 takes the most likely token (default: 0)"
    )
    group.add_argument("--top-p", type=float, default=1.0, help="nucleus (top-p) of sampling (default: 1)")
    group.add_argument("--seed", type=int, default=0, help="of sampling (default: 0)")
    group.add_argument(
        "--repetition-penalty",
        type=float,
        default=1.0,
        metavar="X",
        help="makes tokens of the prompt and the answer less likely, like 1.2 (default: 1, none)",
    )
    group.add_argument(
        "--no-repeat-ngram", type=int, default=0, metavar="N",
        help="never write N tokens in a row a second time (default: 0, allowed)",
    )  # fmt: skip


def load_engine(options: argparse.Namespace, terminal: Terminal) -> Engine:
    """Load the model that the options name on this machine, showing how far it is."""
    if getattr(options, "worker", None):
        raise UserError(
            "This command cannot run its model on another machine: the window, describe, steer, narrate, map"
            " and discover can.",
            next_step="Log in to that machine and run it there.",
        )
    from transformers.utils import logging as transformers_logging

    from gazeviz.engine.engine import load

    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    with terminal.progress("loading the model") as report:
        engine = load(options.model, device=options.device, dtype=options.dtype, progress=report)
    limit_tok = options.max_image_tokens
    if limit_tok is not None:
        if limit_tok < 1:
            raise UserError(
                f"A picture cannot cost {limit_tok} image tokens.", next_step="Choose one or more."
            )
        engine.max_image_tokens = limit_tok
    say_why_not_gpu(engine.describe_model().why_not_gpu, "", terminal.note)
    return engine


def say_why_not_gpu(reason: str | None, whose: str, note: Callable[[str], None]) -> None:
    """Say it where something can be done about it: not at every command on a machine without a GPU."""
    from gazeviz.doctor import PLAIN_MACHINE

    if reason and reason not in PLAIN_MACHINE:
        note(f"{whose}{reason}")


def open_engine(options: argparse.Namespace, terminal: Terminal) -> Engine | EngineElsewhere:
    """Load the model that the options name, here or on the machine that --worker names."""
    if not options.worker:
        return load_engine(options, terminal)
    from gazeviz.backend.places import backend_maker
    from gazeviz.backend.remote.elsewhere import EngineElsewhere

    limit_tok = options.max_image_tokens
    if limit_tok is not None and limit_tok < 1:
        raise UserError(f"A picture cannot cost {limit_tok} image tokens.", next_step="Choose one or more.")
    with terminal.progress(f"loading the model at {options.worker}") as report:
        engine = EngineElsewhere.load(
            backend_maker(options.worker), options.model, device=options.device, dtype=options.dtype,
            progress=report,
        )  # fmt: skip
    engine.max_image_tokens = limit_tok
    say_why_not_gpu(engine.info.why_not_gpu, f"{options.worker}: ", terminal.note)
    return engine


def sampling(options: argparse.Namespace) -> Sampling:
    """Return how tokens are chosen."""
    from gazeviz.domain.run import Sampling

    return Sampling(
        options.temperature, options.top_p, options.seed, options.repetition_penalty, options.no_repeat_ngram
    )


def picture(named: str) -> NamedPicture:
    """Open a picture file, or draw strip K of the comic world for builtin:K."""
    match = re.fullmatch(r"builtin:(\d{1,6})", named)
    if match:
        from gazeviz.domain.strip import Layout
        from gazeviz.testbed.world.world import builtin_strips

        strip = builtin_strips(int(match[1]) + 1)[-1]
        return NamedPicture(strip.image, named, Layout(*strip.layout), strip.facts, strip.captions)
    from gazeviz.imaging import open_picture

    path = user_path(named)
    return NamedPicture(open_picture(path), path.name, path=path)


def panels(shown: NamedPicture, layout: str | None) -> tuple[Region, ...]:
    """Return the panels of a picture by a layout, or as its gutters show them; UserError when they do not."""
    from gazeviz.domain.strip import Layout, panel_regions

    chosen = Layout.parse(layout) if layout else shown.layout or _layout_by_gutters(shown.image)
    if chosen is None:
        raise UserError(
            f"The panels of {shown.name} cannot be detected by its gutters.",
            next_step="Give its layout as rows x columns: --layout 1x6.",
        )
    return panel_regions(chosen, *shown.image.size)


def panel(regions: Sequence[Region], number: int) -> Region:
    """Return panel `number`, counted from 1; UserError when the strip has none."""
    if not 1 <= number <= len(regions):
        raise UserError(
            f"There is no panel {number}: the strip has {len(regions)}.",
            next_step=f"Choose a panel from 1 to {len(regions)}.",
        )
    return regions[number - 1]


def box(text: str, image: Image) -> Region:
    """Return the box "x0,y0,x1,y1" in picture pixels as a region."""
    from gazeviz.domain.region import Region

    parts = re.split(r"[,\s]+", text.strip())
    if len(parts) != 4:
        raise UserError(f"“{text}” is not a box.", next_step="Write --box x0,y0,x1,y1 in picture pixels.")
    x0, y0, x1, y1 = (number_or_error(part, "pixel coordinate") for part in parts)
    return Region.box("Box", (x0, y0, x1, y1), image.size)


def add_regions(parser: argparse._ActionsContainer) -> None:
    """Add a file of regions."""
    parser.add_argument(
        "--regions", metavar="FILE", help="a mask, labelme or COCO file; --target names one of its regions"
    )


def add_target(parser: argparse._ActionsContainer) -> None:
    """Add which region of a file is meant."""
    parser.add_argument(
        "--target", metavar="NAME", help="a region of --regions or --mask: its name, or its number from 1"
    )
    add_entry(parser)


def add_entry(parser: argparse._ActionsContainer) -> None:
    """Add which picture of a COCO file is meant."""
    parser.add_argument(
        "--entry", default="", metavar="NAME", help="the picture's name in a COCO file of several"
    )


def region_files(named: Sequence[str], shown: NamedPicture, entry: str = "") -> FoundRegions:
    """Read the regions that files hold for a picture; UserErrors of app.editing.region_files."""
    from gazeviz.app.editing.region_files import read_regions

    paths = [user_path(name) for name in named]
    return read_regions(paths, shown.image.size, str(shown.path or shown.name), entry)


def regions_of(named: str, shown: NamedPicture, entry: str, terminal: Terminal) -> tuple[Region, ...]:
    """Return the regions of a file, one at least, and say what was left out."""
    found = region_files([named], shown, entry).needed(Path(named).name)
    if found.left_out:
        terminal.warn(f"{Path(named).name}, {found.left_out_text}.")
    return found.regions


def region_called(regions: Sequence[Region], target: str | None, named: str) -> Region:
    """Return the region of a name or a number; UserError where there is none, or more than one."""
    if target is None:
        chosen = list(regions)
    else:
        chosen = [region for region in regions if region.name == target] or [
            region for region in regions if region.name.lower() == target.lower()
        ]
        if not chosen and target.isdecimal() and 1 <= int(target) <= len(regions):
            chosen = [regions[int(target) - 1]]
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(f"{number} {region.name}" for number, region in enumerate(regions[:20], start=1))
    names += " ..." if len(regions) > 20 else ""
    text = f"no region “{target}”" if not chosen else f"{len(chosen)} matching regions"
    raise UserError(
        f"{Path(named).name} holds {text}: {names}.", next_step="Name one, or its number: --target."
    )


def strips(named: str, layout: str | None) -> tuple[Strip, ...]:
    """Return builtin:N (N strips of the comic world; builtin:N:SEED) or the strips of a folder.

    layout: of all of them; None: as a folder's `samples.json` says, or as the gutters show. UserErrors of
    gazeviz.backend.engine_adapter.folder_strips.
    """
    match = _DRAWN.fullmatch(named)
    if match:
        return _drawn_strips(int(match[1] or 50), int(match[2] or 0), layout)
    from gazeviz.backend.strips import folder_strips
    from gazeviz.domain.strip import Layout

    folder = user_path(named)
    if not is_folder(folder):
        raise UserError(
            f"There is no folder {named}.", next_step="Name a folder of strips, or builtin:50 for drawn ones."
        )
    return folder_strips(folder, layout=Layout.parse(layout) if layout else None)


def strips_source(named: str) -> StripsSource:
    """Return the same strips by name, for a worker to draw or to be sent."""
    from gazeviz.domain.messages import StripsSource

    match = _DRAWN.fullmatch(named)
    if match:
        return StripsSource("builtin", int(match[1] or 50), int(match[2] or 0))
    return StripsSource("folder", folder=str(user_path(named).absolute()))


def heads(options: argparse.Namespace, engine: Engine | EngineElsewhere, task: Task = "answer") -> HeadSet:
    """Return the heads that --heads and --top name, else those recommended; checked against the model."""
    from gazeviz.domain.heads import HeadRanking, HeadSet
    from gazeviz.engine.models.description import usual_count

    named: str | None = options.heads
    if named == "all":
        return engine.all_heads()
    if named is None:
        advised = advice(engine, task)
        return advised.heads if options.top is None else advised.ranking.top(options.top)
    if _COUNTED_HEADS.fullmatch(named) and not is_file(user_path(named)):
        from gazeviz.backend.remote.elsewhere import EngineElsewhere
        from gazeviz.evaluating import Heads

        if isinstance(engine, EngineElsewhere):
            return _heads_elsewhere(named, engine)
        return Heads(engine).read(named, getattr(options, "like", None))[0]
    if named.lower().endswith(".json") or is_file(user_path(named)):
        ranking = HeadRanking.load(user_path(named), engine.shape_LH)
        return ranking.top(usual_count(ranking) if options.top is None else options.top)
    chosen = HeadSet.of(named)
    chosen.check(engine.shape_LH)
    return chosen


def _heads_elsewhere(named: str, engine: EngineElsewhere) -> HeadSet:
    """The best heads of a ranking that lies in the model's folder on the other machine: mass:10."""
    name, _, count = named.partition(":")
    if name not in engine.info.rankings or not count.isdecimal():
        there = ", ".join(engine.info.rankings) or "none"
        raise UserError(
            f"“{named}” names no heads of a ranking that lies beside the model there ({there}).",
            next_step="Name one of them, a ranking file of this machine, or heads like L4H1,L3H2.",
        )
    return engine.info.rankings[name].top(int(count))


def advice(engine: Engine | EngineElsewhere, task: Task) -> Recommendation:
    """Return what the model's folder recommends; UserError where it recommends nothing."""
    from gazeviz.backend.remote.elsewhere import EngineElsewhere
    from gazeviz.engine.models.description import Recommendation, recommendation

    if isinstance(engine, EngineElsewhere):
        there = engine.advice(moving=task == "moving")
        advised = None
        if there is not None:
            ranking, how = there
            scope = None if task == "region" else how.scope
            advised = Recommendation(ranking, how.n, how.mode, how.strength, scope, how.alpha)
    else:
        advised = recommendation(engine.describe_model().path, engine.shape_LH, task)
    if advised is None:
        raise UserError(
            "No heads are chosen, and the model's folder recommends none.",
            next_step="Name them (--heads L4H1,L3H2), or rank them first (gazeviz discover).",
        )
    return advised


def _layout_by_gutters(image: Image) -> Layout | None:
    import numpy as np

    from gazeviz.domain.strip import gutters

    return gutters(np.asarray(image))


def _drawn_strips(n: int, seed: int, layout: str | None) -> tuple[Strip, ...]:
    from gazeviz.domain.strip import Layout, Strip
    from gazeviz.testbed.world.world import builtin_strips

    if n < 1:
        raise UserError("The number of strips is 0.", next_step="Ask for one or more: --strips builtin:50.")
    chosen = Layout.parse(layout or "1x6")
    drawn = builtin_strips(n, seed, layout=(chosen.rows, chosen.cols))
    return tuple(
        Strip(strip.image, strip.panels, strip.captions, f"builtin:{place}")
        for place, strip in enumerate(drawn)
    )
