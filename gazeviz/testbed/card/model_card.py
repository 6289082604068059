"""Measures the built-in model and writes its card.

    python -m gazeviz.testbed.card.model_card --model FOLDER --strips 200 --out
    resources/models/comic-vlm/README.md

Writes the card, `model-card.json` beside it (every figure), `rankings/NAME.json` (the published format) and
`recommended.json` (the setting that steers best with few heads; the app and the demo read it) into the same
folder. Broken off, it takes up what is in its journal (`--journal`) when it is started again with the same
weights.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from gazeviz.engine.models.description import library_versions
from gazeviz.engine.models.loading import fingerprint_of
from gazeviz.testbed.card import scenes as card_scenes
from gazeviz.testbed.card import strips as card_strips
from gazeviz.testbed.card.curves import CURVES_FILE, curves
from gazeviz.testbed.card.measurement import Measurement
from gazeviz.testbed.card.plan import Plan
from gazeviz.testbed.card.pool import Crew, Journal, Pace
from gazeviz.testbed.card.text import card
from gazeviz.whole_files import replacing

SECTIONS: Final[Mapping[str, Callable[[Measurement], Any]]] = {
    "unsteered": card_strips.unsteered,
    "rankings": Measurement.ranking_figures,
    "screening": Measurement.screening_rows,
    "steered": card_strips.steered,
    "controls": card_strips.controlled,
    "moving": card_strips.moving,
    "regions": card_scenes.regions,
    "elsewhere": card_strips.elsewhere,
}
"""What is measured, in this order; each is written as soon as it is done."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; 1 if strength 0 changed any token, which would make every other figure worthless."""
    options = _parser().parse_args(arguments)
    folder = options.out.parent
    model = options.model.resolve()  # a link that is moved meanwhile must not change what is measured
    fingerprint = fingerprint_of(model)
    plan = Plan.quick(options.strips) if options.quick else Plan.sized(options.strips)
    pace = Pace(plan.cost, lambda line: print(line, flush=True))
    journal = Journal(options.journal or Path(".cache/model-card") / f"{fingerprint[:16]}.jsonl", fingerprint)
    print(f"Measuring {options.model} ({fingerprint[:16]}): about {plan.cost:.0f} answers.", flush=True)
    with Crew(model, journal, pace, options.workers) as crew:
        measurement = Measurement(crew, plan)
        figures: dict[str, Any] = {"model": _about(options.model, fingerprint), "plan": plan.to_json()}
        figures["command"] = _command(options)
        for name, measure in SECTIONS.items():
            figures[name] = measure(measurement)
            _write_json(folder / "model-card.json", figures)
        figures["minutes"] = round(crew.seconds / 60, 1)
        for name, ranking in measurement.rankings.items():
            (folder / "rankings").mkdir(parents=True, exist_ok=True)
            ranking.save(folder / "rankings" / f"{name}.json")
    _write_json(folder / "model-card.json", figures)
    _write_json(folder / "recommended.json", _recommended(measurement, figures))
    _write_text(options.out, card(figures))
    if figures["model"]["training"].get("losses"):
        _write_text(folder / CURVES_FILE, curves(figures["model"]["training"]))
    print(f"Wrote {options.out}: {figures['minutes']} minutes of one process.", flush=True)
    changed = sum(one["strength_0"]["changed"] for one in figures["controls"].values())
    if changed:
        print(f"Strength 0 changed {changed} answers: the steering is not what it says.", file=sys.stderr)
    return 1 if changed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gazeviz.testbed.card.model_card", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--model", type=Path, required=True, help="folder of the model")
    parser.add_argument("--out", type=Path, required=True, help="the card, a Markdown file")
    parser.add_argument(
        "--strips",
        type=int,
        default=200,
        help="final strips (default 200; fewer: other pictures in proportion)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="few strips, few settings: a look, not a measurement"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes, each with one thread (default 2)")
    parser.add_argument(
        "--journal", type=Path, help="where finished pieces are kept (default .cache/model-card)"
    )
    return parser


def _command(options: argparse.Namespace) -> str:
    quick = " --quick" if options.quick else ""
    return (
        f"python -m gazeviz.testbed.card.model_card --model resources/models/{options.model.name}"
        f" --strips {options.strips} --out resources/models/{options.model.name}/{options.out.name}{quick}"
    )


def _about(model: Path, fingerprint: str) -> dict[str, Any]:
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    training = model / "training.json"
    return {
        "name": model.name,
        "fingerprint": fingerprint,
        "family": config["model_type"],
        "layers": config["text_config"]["num_hidden_layers"],
        "heads": config["text_config"]["num_attention_heads"],
        "training": json.loads(training.read_text(encoding="utf-8")) if training.exists() else {},
        "versions": library_versions(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def _recommended(measurement: Measurement, figures: dict[str, Any]) -> dict[str, Any]:
    """The recommended setting, its heads, and what it was measured to do.

    "moving" and "region": the settings for targets that move during a narration, and for free scenes.
    """
    setting, steered = measurement.recommended, figures["steered"]
    measured = steered["measured"][steered["recommended"]]
    heads = measurement.rankings[setting.ranking].top(setting.n)
    return {
        **setting.to_json(),
        "heads": [str(head) for head in heads],
        "moving": figures["moving"]["recommended"],
        "region": figures["regions"]["recommended"],
        "model_fingerprint": figures["model"]["fingerprint"],
        "measured": {key: measured[key] for key in ("answers", "hit", "hit_interval", "right", "junk")},
    }


def _write_json(path: Path, data: Any) -> None:
    _write_text(path, json.dumps(_without_nan(data), indent=1) + "\n")


def _without_nan(data: Any) -> Any:
    """JSON knows no NaN: what is undefined is null."""
    if isinstance(data, float):
        return round(data, 5) if math.isfinite(data) else None
    if isinstance(data, dict):
        return {key: _without_nan(value) for key, value in data.items()}
    return [_without_nan(value) for value in data] if isinstance(data, (list, tuple)) else data


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
