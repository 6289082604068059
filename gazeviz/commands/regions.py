"""`gazeviz regions`: what a file of regions holds for a picture, and the same in another form."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from gazeviz.commands import inputs
from gazeviz.commands.terminal import Terminal, escape, table
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from gazeviz.app.editing.region_files import RegionForm
    from gazeviz.domain.region import Region

HELP = "List the regions of a mask, labelme or COCO file, and convert them."
FORMS = ("png", "labelme", "coco")
NOTHING_READ = 2


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add files, picture and what is to be written."""
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="a PNG mask, a labelme or a COCO file (SA-1B, too)"
    )
    parser.add_argument(
        "--picture", required=True, metavar="P", help="the picture that they belong to, or builtin:K"
    )
    inputs.add_entry(parser)
    parser.add_argument(
        "--out", metavar="OTHER", help="write them: a folder for PNG masks, a .json file for labelme or COCO"
    )
    parser.add_argument(
        "--form", choices=FORMS,
        help="of what is written (default: png into a folder; a .json file: coco if so named, else labelme)",
    )  # fmt: skip


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Read, list, and write; 2 where nothing could be read."""
    from gazeviz.app.editing.region_files import write_regions
    from gazeviz.imaging import stretched

    shown = inputs.picture(options.picture)
    if note := stretched(shown.image):
        terminal.note(note)
    found = inputs.region_files(options.files, shown, options.entry)
    written: tuple[Path, ...] = ()
    if options.out and found.regions:
        out = inputs.user_path(options.out)
        form = options.form or _form_of(out)
        written = write_regions(out, found.regions, shown.name, form, shown.path)
    terminal.answer(
        {
            "regions": [_described(region) for region in found.regions],
            "left_out": [{"name": one.name, "why": one.why} for one in found.left_out],
            **({"written": [str(path) for path in written]} if options.out else {}),
        },
        *([table(("region", "pixels", "box"), [_row(region) for region in found.regions], right=(1,))]
          if found.regions else []),
        *(f"[yellow]left out[/] {escape(str(one))}" for one in found.left_out),
        *(f"wrote {escape(str(path))}" for path in written),
    )  # fmt: skip
    if not found.regions:
        terminal.complain(
            f"No region of {shown.name} could be read.", "Choose another file, or another picture."
        )
        return NOTHING_READ
    return 0


def _form_of(out: Path) -> RegionForm:
    suffix = out.suffix.lower()
    if suffix == ".json":
        return "coco" if "coco" in out.stem.lower() else "labelme"
    if suffix and not out.is_dir():
        raise UserError(
            f"Regions cannot be written as {suffix}.",
            next_step="Name a folder (PNG masks), or a file that ends in .json.",
        )
    return "png"


def _described(region: Region) -> dict[str, object]:
    return {"name": region.name, "n_px": region.area_px, "box_px": list(region.box_px)}


def _row(region: Region) -> tuple[str, str, str]:
    return escape(region.name), f"{region.area_px:,}", ",".join(map(str, region.box_px))
