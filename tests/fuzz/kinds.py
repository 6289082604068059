"""What is damaged: for each kind its sound files, and what is done with a damaged one."""

from __future__ import annotations

import base64
import io
import json
import random
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from gazeviz.errors import UserError
from tests.fuzz.damage import damaged_bytes, damaged_json, with_sums

SIZE_PX: Final = (64, 48)
Damage = Callable[[random.Random], bytes]


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    n: how many of 5,000 inputs are of this kind. sound: makes the undamaged files, by name, in a folder.
    take: does with a file what the program does; a UserError of it is an answer.
    """

    n: int
    sound: Callable[[Path], dict[str, bytes | Any]]
    take: Callable[[Path, Path], object]


def damaged(content: bytes | Any, rng: random.Random) -> bytes:
    """Damage bytes as bytes, and what is JSON as such or as bytes."""
    if isinstance(content, bytes):
        data = damaged_bytes(content, rng)
        return with_sums(data) if data[:4] == b"\x89PNG" and rng.random() < 0.7 else data
    if rng.random() < 0.25:
        return damaged_bytes(json.dumps(content).encode(), rng)
    return damaged_json(content, rng)


def _picture(mode: str) -> Image.Image:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 255, (SIZE_PX[1], SIZE_PX[0], 3), dtype=np.uint8)
    if mode == "I;16":
        return Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 13)
    if mode == "F":
        return Image.fromarray(pixels[:, :, 0].astype(np.float32))
    return Image.fromarray(pixels).convert(mode)


def pictures(_folder: Path) -> dict[str, bytes]:
    """A picture of every format, in some of its modes."""
    found = {}
    exif = Image.Exif()
    exif[0x0112] = 6
    for suffix, modes, options in (
        ("png", ("RGB", "RGBA", "L", "P", "1", "I;16"), {"exif": exif}),
        ("jpg", ("RGB", "L", "CMYK"), {"exif": exif}),
        ("webp", ("RGB", "RGBA"), {}),
        ("tif", ("RGB", "L", "I;16", "F"), {}),
        ("tiff", ("RGB",), {"compression": "tiff_lzw"}),
        ("bmp", ("RGB", "L"), {}),
        ("gif", ("P",), {}),
        ("avif", ("RGB",), {}),
        ("jp2", ("RGB",), {}),
    ):
        for mode in modes:
            buffer = io.BytesIO()
            form = {"jpg": "JPEG", "tif": "TIFF", "jp2": "JPEG2000"}.get(suffix, suffix.upper())
            try:
                _picture(mode).save(buffer, form, **options)
            except (KeyError, OSError):  # this Pillow lacks the format
                continue
            found[f"{mode.replace(';', '')}.{suffix}"] = buffer.getvalue()
    found["program.png"] = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/tmp/x) (w) file closefile\n"
    return found


def masks(_folder: Path) -> dict[str, bytes]:
    """Masks: white on black, 0 and 1, labels, on clear ground, with a palette."""
    y, x = np.mgrid[: SIZE_PX[1], : SIZE_PX[0]]
    inside = (x - 20) ** 2 + (y - 20) ** 2 < 100
    images = {
        "white.png": Image.fromarray((inside * 255).astype(np.uint8)),
        "one.png": Image.fromarray(inside.astype(np.uint8)),
        "labels.png": Image.fromarray((inside * 1 + (x > 40) * 2).astype(np.uint8)),
        "deep.png": Image.fromarray((inside * 300 + (x > 40) * 4000).astype(np.uint16)),
        "clear.png": Image.merge(
            "LA", (Image.new("L", SIZE_PX, 255), Image.fromarray((inside * 255).astype(np.uint8)))
        ),
        "bits.png": Image.fromarray(inside),
    }
    palette = Image.fromarray((inside * 1 + (x > 40) * 2).astype(np.uint8), "P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    images["palette.png"] = palette
    found = {}
    for name, image in images.items():
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        found[name] = buffer.getvalue()
    return found


def regions(_folder: Path) -> dict[str, Any]:
    """labelme, its relatives, COCO, its results, and SA-1B."""
    from gazeviz.app.editing.coco_files import coco_content
    from gazeviz.app.editing.labelme_files import labelme_content
    from gazeviz.domain.region import Region

    painted = (
        Region.ellipse('red "cat"', (3, 2, 30, 19), SIZE_PX, "#E69F00"),
        Region("speckle", np.random.default_rng(0).random(SIZE_PX[::-1]) < 0.4),
    )
    polygon = [[3, 3], [40, 5], [20, 40.5]]
    kinds = ("polygon", "rectangle", "circle", "line", "rotation", "quadrilateral", "point")
    buffer = io.BytesIO()
    Image.new("L", (9, 9), 255).save(buffer, "PNG")
    mask = base64.b64encode(buffer.getvalue()).decode()
    shapes: list[dict[str, Any]] = [
        {"label": kind, "points": polygon[: 2 if kind in ("rectangle", "circle", "line") else 3],
         "shape_type": kind, "group_id": None, "flags": {}} for kind in kinds
    ]  # fmt: skip
    shapes.append({"label": "m", "points": [[50, 40], [58, 48]], "shape_type": "mask", "mask": mask})
    size = {"width": SIZE_PX[0], "height": SIZE_PX[1]}
    annotation = {
        "image_id": 1,
        "category_id": 1,
        "bbox": [1, 2, 30, 20],
        "segmentation": [[1, 1, 30, 2, 9, 40]],
    }
    packed = {"image_id": 2, "segmentation": {"size": [48, 64], "counts": "P10Pn0"}}
    images = [{"id": 1, "file_name": "pic.png", **size}, {"id": 2, "file_name": "b\\pic.jpg", **size}]
    return {
        "labelme.json": labelme_content(painted, "pic.png"),
        "shapes.json": {"shapes": shapes, "imageWidth": SIZE_PX[0], "imageHeight": None, "imageData": mask},
        "coco.json": coco_content(painted, "pic.png"),
        "several.json": {
            "images": images,
            "annotations": [annotation, packed],
            "categories": [{"id": 1, "name": "c"}],
        },
        "results.json": [annotation, {**annotation, "segmentation": [[1, 1], [30, 2], [9, 40]]}],
        "sa.json": {
            "image": {"image_id": 5, "file_name": "sa_5.jpg", **size},
            "annotations": [packed, annotation],
        },
    }


def rankings(_folder: Path) -> dict[str, Any]:
    """The published form."""
    rows = [{"layer": n // 4, "head": n % 4, "score": n / 10} for n in range(16)]
    return {"list.json": rows, "short.json": rows[:3]}


def _take_picture(path: Path, _work: Path) -> object:
    from gazeviz.domain.strip import gutters
    from gazeviz.imaging import open_picture

    return gutters(np.asarray(open_picture(path)))


def _take_mask(path: Path, _work: Path) -> object:
    from gazeviz.app.editing.mask_pictures import read_mask

    return read_mask(path, SIZE_PX)


def _take_regions(path: Path, _work: Path) -> object:
    from gazeviz.app.editing.region_files import read_regions

    found = read_regions([path], SIZE_PX, "pic.png")
    for region in found.regions:  # what is read can be sent, logged and told
        region.name.encode()
        assert region.size_px == SIZE_PX and region.area_px > 0
    return [str(one).encode() for one in found.left_out]


def _take_ranking(path: Path, _work: Path) -> object:
    from gazeviz.domain.heads import HeadRanking

    ranking = HeadRanking.load(path, (4, 4))
    ranking._repr_html_().encode()
    return repr(ranking)


# Model folders and templates: the built-in model's, without its weights where a load is not needed


def _model_files(folder: Path) -> dict[str, Any]:
    from gazeviz.testbed.training.model import build_model, save_pretrained

    model = folder / "model"
    if not model.exists():
        save_pretrained(model, build_model())
    names = [
        path.name
        for path in model.iterdir()
        if path.suffix in (".json", ".jinja") and path.stat().st_size < 20_000
    ]
    return {
        name: json.loads(text) if name.endswith(".json") else text.encode()
        for name in sorted(names)
        if (text := (model / name).read_text("utf-8"))
    }


def _templates(folder: Path) -> dict[str, Any]:
    found = {name: text for name, text in _model_files(folder).items() if name.endswith(".jinja")}
    found["bomb"] = b"{{ 'a' * 8000000000 }}"
    found["loop"] = b"{% for i in range(10**6) %}{% for j in range(10**6) %}{% endfor %}{% endfor %}"
    found["list"] = b"{% set x = [0] * 10**10 %}{{ x }}"
    found["call"] = (
        b"{{ ''.__class__.__mro__[1].__subclasses__() }}{{ messages.append(messages) }}{{ messages }}"
    )
    return found


def _take_folder(path: Path, work: Path) -> object:
    return _load(path, work, path.name)


def _take_template(path: Path, work: Path) -> object:
    return _load(path, work, "chat_template.jinja")


def _load(path: Path, work: Path, name: str) -> object:
    from gazeviz.engine.engine import load

    sound, folder = work.parent / "sound" / "model", work / "model"
    if not folder.exists():
        folder.mkdir()
        for file in sound.iterdir():
            if file.is_file():
                (folder / file.name).symlink_to(file)
    changed = folder / name
    changed.unlink(missing_ok=True)
    shutil.copy(path, changed)
    try:
        return load(folder).prepare(Image.new("RGB", (64, 64)), "What is this?")["input_ids"].shape
    finally:
        changed.unlink()
        if (sound / name).exists():
            changed.symlink_to(sound / name)


# Bundles and logs


def _log(folder: Path) -> Path:
    from gazeviz.domain.messages import PictureSource
    from gazeviz.domain.strip import Layout
    from gazeviz.store import SessionStore
    from tests.store.samples import Samples, png

    path = folder / "log" / "gazeviz.db"
    if not path.exists():
        from gazeviz.app.runs.picture_opener import picture_sha256
        from gazeviz.imaging import open_encoded

        path.parent.mkdir()
        store = SessionStore(path)
        store.open_session("a session")
        data = png((40, 30))
        sha256 = picture_sha256(np.asarray(open_encoded(data)))
        store.save_picture(PictureSource(sha256, "pic", data=data), (40, 30), Layout(1, 2), ("a", "b"))
        for seed in range(3):
            samples = Samples(seed)
            run = store.run_created("baseline", samples.spec(), samples.info())
            store.run_ended(run, "done", samples.summary(), "").result()
        store.close()
    return path


_KEPT: Final = "keep"


def _logs(folder: Path) -> dict[str, Any]:
    """A log as bytes, and the columns of its tables, into which odd values are put."""
    path = _log(folder)
    with closing(sqlite3.connect(path)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {
            table: {row[1]: _KEPT for row in connection.execute(f"PRAGMA table_info('{table}')")}
            for table in tables
            if "fts" not in table and not table.startswith("sqlite")
        }
    return {"gazeviz.db": path.read_bytes(), "rows.json": columns}


def _bundles(folder: Path) -> dict[str, bytes]:
    from gazeviz.store.session_file import export_session

    out = folder / "session.zip"
    if not out.exists():
        export_session(_log(folder), 1, out)
    plain = io.BytesIO()
    with zipfile.ZipFile(out) as packed, zipfile.ZipFile(plain, "w") as stored:
        for name in packed.namelist():  # not deflated: damage reaches the rows
            stored.writestr(name, packed.read(name))
    return {"session.zip": out.read_bytes(), "stored.zip": plain.getvalue()}


def _take_log(path: Path, work: Path) -> object:
    log = work / "damaged" / "gazeviz.db"
    shutil.rmtree(log.parent, ignore_errors=True)
    log.parent.mkdir()
    if path.name == "rows.json":
        shutil.copy(work.parent / "sound" / "log" / "gazeviz.db", log)
        _put_rows(log, path.read_bytes())
    else:
        shutil.copy(path, log)
    asked = (("list",), ("show", "last"), ("check",))
    codes = [_command("log", *words, "--log", str(log)) for words in asked]
    if codes == [2, 2, 2]:
        raise UserError("None of the commands reads it.", next_step="Bring back a backup.")
    return codes


def _put_rows(log: Path, columns: bytes) -> None:
    """Put values into columns, whatever they are."""
    try:
        told = json.loads(columns)
    except (ValueError, RecursionError):
        return
    with closing(sqlite3.connect(log)) as connection:
        for table, values in told.items() if isinstance(told, dict) else ():
            for column, value in values.items() if isinstance(values, dict) else ():
                if value == _KEPT:
                    continue
                odd = value if isinstance(value, str | int | float | None) else json.dumps(value)
                with suppress(sqlite3.Error, OverflowError, UnicodeError):
                    connection.execute(f'UPDATE "{table}" SET "{column}" = ?', (odd,))
        with suppress(sqlite3.Error):
            connection.commit()


def _command(*words: str) -> int:
    """Run a command line; a bug of it is an error, and so is an escape sequence that reaches the terminal."""
    from gazeviz import cli

    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = cli.main(words)
    said = out.getvalue() + err.getvalue()
    if "Internal error" in said or "\x1b]" in said:
        raise AssertionError(f"{words}: {said[-1200:]}")
    return code


def _take_bundle(path: Path, work: Path) -> object:
    from gazeviz.store import SessionStore
    from gazeviz.store.session_file import import_session

    log = work / "own" / "gazeviz.db"
    if not log.exists():
        log.parent.mkdir()
        SessionStore(log).close()
    return import_session(log, path)


KINDS: Final = {
    "pictures": Kind(1500, pictures, _take_picture),
    "masks": Kind(800, masks, _take_mask),
    "region files": Kind(1500, regions, _take_regions),
    "rankings": Kind(800, rankings, _take_ranking),
    "logs": Kind(150, _logs, _take_log),
    "bundles": Kind(150, _bundles, _take_bundle),
    "model folders": Kind(50, _model_files, _take_folder),
    "templates": Kind(50, _templates, _take_template),
}
