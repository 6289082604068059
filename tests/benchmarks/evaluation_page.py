"""Measures what `resources/help/evaluation.md` says of the built-in model, and writes that page.

    python -m tests.benchmarks.evaluation_page [--strips 100] [--seed 7000007] [--log FILE] [--workers 2]

The rankings under three protocols and the numbers of heads are measured on a part of the strips, and the
page says on how many.

Goes on where it was stopped when it is given the same log. To be run again whenever the built-in model
changes.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from pathlib import Path
from typing import Any

from gazeviz import cli
from gazeviz.engine.engine import Engine, load
from gazeviz.evaluating import open_pictures
from gazeviz.resources import resource_path
from gazeviz.testbed.world.world import builtin_scenes

HEADS, TOPS, STRENGTHS = "mass:10", "1,2,5,10,15,20", "1,2,4,8,16,hard,hard_uniform"
CONTROLS = "uniform:10,layers:10,range:3@5-11,lower:3,all,lowest,wrong-region,zero,prompt"
RANKINGS = "mass,image_heads,localization"
PROTOCOLS = {"vqa": "VQA, %", "static": "static narration, %", "dynamic": "dynamic narration, rho"}
PAPER = {
    "vqa": (83.1, 69.0, 60.2, 14.6, 0.9),
    "static": (79.4, 59.1, 46.5, 5.6, 0.5),
    "dynamic": (0.87, 0.42, 0.33, -0.15, None),
}
"""The paper's figures: gaze, image heads, localization heads, random, all, of Qwen3-VL-8B."""
STABILITY = (5, 10, 25, 50)


IN_THE_WINDOW = """\
## In the window

The Evaluate tab (Alt+3) runs the same experiments, and shows what it or any shell writes into the \
log. The
pictures are of 8 strips (`builtin:8@7`), 4 random draws of each kind.

![Experiments with our figure and the paper's, the share of texts about the target by condition \
with the paper's figures as diamonds, and every answer.](images/evaluate-light.png)

![The same experiment by panel: rows are targets, columns the panels that the texts \
describe.](images/evaluate-dark.png)

A double click on an answer writes it again in Explore, with its picture, regions, heads and \
settings.
`gazeviz resume NAME` goes on with any evaluation of the log by its name alone.
"""


def main() -> None:
    """Measure everything, then write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--strips", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7000007)
    parser.add_argument("--log", type=Path, default=Path(".cache/evaluation-page/log.db"))
    parser.add_argument("--workers", type=int, default=2, help="processes, as of gazeviz evaluate")
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    options.log.parent.mkdir(parents=True, exist_ok=True)
    pictures = f"builtin:{options.strips}@{options.seed}"
    engine = load()
    # A fixed place, so that the evaluation on it can be gone on with.
    folder = options.log.absolute().parent / f"scenes-{options.strips}-{options.seed}"
    folder.mkdir(exist_ok=True)
    page = _page(options, pictures, engine, _scenes_as_coco(folder, options.strips, options.seed))
    out = options.out or resource_path("help") / "evaluation.md"
    out.write_text(page, encoding="utf-8")
    print(f"wrote {out}")


def _page(options: argparse.Namespace, pictures: str, engine: Engine, coco: str) -> str:
    table = _measured(
        options, "evaluate", "vqa", "--pictures", pictures, "--heads", HEADS, "--name", "table",
        "--controls", CONTROLS,
    )  # fmt: skip
    half, some = _part(options, 2), _part(options, 5)
    protocols = {name: _rankings(options, name, some) for name in PROTOCOLS}
    tops = _measured(
        options, "sweep", f"top={TOPS}", "--pictures", half, "--heads", HEADS, "--name", "tops",
        "--controls", "uniform:3",
    )  # fmt: skip
    strengths = _measured(
        options, "sweep", f"strength={STRENGTHS}", "--pictures", pictures, "--heads", HEADS, "--name",
        "strengths", "--controls", "none",
    )  # fmt: skip
    # The likelihood judge reads every text beside every panel, which takes longer than writing it.
    _measured(
        options, "evaluate", "vqa", "--pictures", some, "--heads", HEADS, "--name", "judges", "--controls",
        "uniform:1",
    )  # fmt: skip
    _asked(options, "judge", "judges", "--judge", "lexical")
    judged = _asked(options, "judge", "judges", "--judge", "likelihood")
    scenes = _measured(
        options, "evaluate", "region", "--pictures", coco, "--judge", "lexical", "--heads", HEADS,
        "--controls", "uniform:3,zero", "--name", "scenes",
    )  # fmt: skip
    stable = [(n, _split_half(engine, n)) for n in STABILITY]
    return "\n".join(
        [
            "# Evaluate: does steering work on this model?",
            "",
            *_told(options, pictures),
            IN_THE_WINDOW,
            "## All conditions",
            "",
            f"    gazeviz evaluate vqa --pictures {pictures} --heads {HEADS} --name table"
            f" --controls {CONTROLS}",
            "",
            *_rows(table),
            "",
            f"The chosen heads are at percentile {table['percentile']:.0f} of the random draws. Strength 0"
            f" changed the tokens of {_of(table, 'zero')['different_from_unsteered']} answers. Where a layer"
            " has too few other heads, `layers` draws from the nearest ones. The paper's code draws from the"
            " lowest 5 % of all heads; where these are fewer than the heads that are steered, `bottom` is"
            " refused.",
            "",
            "## Rankings under three protocols",
            "",
            f"    gazeviz evaluate PROTOCOL --pictures {some} --heads {HEADS} --sweep ranking={RANKINGS}"
            " --controls uniform:3,all --name NAME",
            "",
            "In brackets the figures of the paper (Qwen3-VL-8B, 100 of 1152 heads).",
            "",
            *_protocol_rows(protocols),
            "",
            "## Number of heads",
            "",
            f"    gazeviz sweep top={TOPS} --pictures {half} --controls uniform:3 --name tops",
            "",
            *_rows(tops, ("gaze", "uniform")),
            "",
            f"Best lower bound, fewest heads on a tie: {tops['recommended']}.",
            "",
            "## Strength",
            "",
            f"    gazeviz sweep strength={STRENGTHS} --pictures {pictures} --controls none --name strengths",
            "",
            *_rows(strengths, ("gaze",)),
            "",
            "## Judges",
            "",
            f"    gazeviz evaluate vqa --pictures {some} --heads {HEADS} --controls uniform:1 --name judges",
            "    gazeviz judge judges --judge lexical",
            "    gazeviz judge judges --judge likelihood",
            "",
            *(f"- Cohen's kappa, {pair}: {kappa:.2f}" for pair, kappa in judged["kappa"].items()),
            "",
            "## Regions of scenes, as a COCO file",
            "",
            f"{options.strips} drawn scenes written as COCO instances (each object's box a region, its words"
            " the category), by the size of the region as COCO classes it:",
            "",
            "    gazeviz evaluate region --pictures coco:instances.json:scenes --judge lexical"
            " --controls uniform:3,zero --name scenes",
            "",
            *_rows(scenes, ("unsteered", "gaze", "uniform", "zero")),
            "",
            "| size | n | % | 95 % |",
            "| --- | ---: | ---: | ---: |",
            *(
                f"| {size} | {one['n']} | {100 * one['accuracy']:.1f} | {_between(one['interval'])} |"
                for size, one in _of(scenes, "gaze")["by_size"].items()
            ),
            "",
            "## Stability of the ranking",
            "",
            "Heads of the top 10 that both halves of the strips agree on:",
            "",
            "| strips | " + " | ".join(str(n) for n, _ in stable) + " |",
            "| --- |" + " ---: |" * len(stable),
            "| of 10 | " + " | ".join(str(agreed) for _, agreed in stable) + " |",
            "",
        ]
    )


def _told(options: argparse.Namespace, pictures: str) -> list[str]:
    return [
        "`gazeviz evaluate` steers to every region of every picture under every condition, judges the",
        "texts, and keeps each block of answers as it ends. The same command resumes where it stopped, also",
        "after a kill.",
        "",
        "A hit describes the target and is not the unsteered text (word Jaccard below .85, a leading",
        "“Panel k:” left out); of unsteered answers those are counted that happen to describe the region.",
        "Intervals resample whole pictures (95 %, 10 000 resamples); of random draws the least and the",
        "greatest share are shown.",
        "",
        f"Measured on the built-in model on {options.strips} strips used nowhere else, `{pictures}`,",
        "with the exact judge unless said otherwise. To measure this page anew:",
        "",
        f"    python -m tests.benchmarks.evaluation_page --strips {options.strips} --seed {options.seed}",
        "",
    ]


def _part(options: argparse.Namespace, of: int) -> str:
    """The first so-many-th part of the strips, four at the least."""
    return f"builtin:{min(options.strips, max(4, options.strips // of))}@{options.seed}"


def _rankings(options: argparse.Namespace, protocol: str, pictures: str) -> dict[str, Any]:
    return _measured(
        options, "evaluate", protocol, "--pictures", pictures, "--heads", HEADS, "--sweep",
        f"ranking={RANKINGS}", "--controls", "uniform:3,all", "--name", f"rankings {protocol}",
    )  # fmt: skip


def _protocol_rows(found: dict[str, dict[str, Any]]) -> list[str]:
    """The paper's table with our figures: a row for each protocol, rho where the target moves."""
    lines = ["| | gaze | image heads | localization heads | random | all |", "| --- |" + " ---: |" * 5]
    for name, told in found.items():
        key, scale = ("rho", 1.0) if name == "dynamic" else ("accuracy", 100.0)
        first = RANKINGS.partition(",")[0]
        ours: list[list[float]] = [
            [one[key] for one in told["conditions"] if one["name"] == f"gaze ranking={ranking}"]
            for ranking in RANKINGS.split(",")
        ]
        for kind in ("uniform", "all"):
            ours.append(
                [
                    one[key]
                    for one in told["conditions"]
                    if one["kind"] == kind and one["at"].get("ranking") == first
                ]
            )
        digits = 2 if name == "dynamic" else 1
        cells = [
            f"{scale * sum(values) / len(values):.{digits}f}" + ("" if paper is None else f" ({paper:g})")
            for values, paper in zip(ours, PAPER[name], strict=True)
        ]
        lines.append(f"| {PROTOCOLS[name]} | {' | '.join(cells)} |")
    return lines


def _measured(options: argparse.Namespace, *arguments: str) -> dict[str, Any]:
    return _asked(options, *arguments, "--workers", str(options.workers))


def _asked(options: argparse.Namespace, *arguments: str) -> dict[str, Any]:
    print("gazeviz", *arguments, flush=True)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = cli.main([*arguments, "--log", str(options.log), "--json", "-q"])
    if code:
        raise SystemExit(code)
    document: dict[str, Any] = json.loads(said.getvalue())
    return document


def _of(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in document["conditions"] if one["name"] == name)


def _rows(document: dict[str, Any], kinds: tuple[str, ...] = ()) -> list[str]:
    """Conditions as a Markdown table; the draws of a kind in one row."""
    lines = ["| condition | n | % | 95 %, or range | junk | unchanged |", "| --- |" + " ---: |" * 5]
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in document["conditions"]:
        drawn = one["kind"] in ("uniform", "layers", "range", "bottom", "lower")
        if not kinds or one["kind"] in kinds:
            groups.setdefault(one["name"].rsplit(" ", 1)[0] if drawn else one["name"], []).append(one)
    for name, ones in groups.items():
        shares = [one["accuracy"] for one in ones]
        mean, n = sum(shares) / len(ones), sum(one["n"] for one in ones)
        ends = [min(shares), max(shares)] if len(ones) > 1 else ones[0]["interval"]
        junk, same = (sum(one[key] for one in ones) / len(ones) for key in ("junk", "unchanged"))
        told = f"{name} ({len(ones)} draws)" if len(ones) > 1 else name
        lines.append(
            f"| {told} | {n} | {100 * mean:.1f} | {_between(ends)} | {100 * junk:.1f} | {100 * same:.1f} |"
        )
    return lines


def _between(ends: list[float]) -> str:
    return f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f}"


def _split_half(engine: Engine, n: int) -> int | None:
    ranking = engine.discover(open_pictures(f"builtin:{n}@11", engine).pictures, "mass")
    return ranking.split_half_overlap(10)


def _scenes_as_coco(folder: Path, n: int, seed: int) -> str:
    """Write scenes as pictures and one instances file; returns the set."""
    categories: dict[str, int] = {}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, scene in enumerate(builtin_scenes(n, seed)):
        scene.image.save(folder / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png"})
        for words, (x0, y0, x1, y1) in zip(scene.captions, scene.boxes_px, strict=True):
            category = categories.setdefault(words, len(categories))
            box = [float(value) for value in (x0, y0, x1 - x0, y1 - y0)]
            annotations.append(
                {"id": len(annotations), "image_id": number, "category_id": category, "bbox": box,
                 "area": box[2] * box[3]}
            )  # fmt: skip
    named = [{"id": number, "name": words} for words, number in categories.items()]
    file = folder / "instances.json"
    file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": named}))
    return f"coco:{file}:{folder}"


if __name__ == "__main__":
    main()
