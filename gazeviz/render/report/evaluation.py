"""A stored evaluation as a report: its table, its figure, its plan, and how to get the same again.

Knows an evaluation's result; nothing of the log that it lies in, nor of how answers are made.
"""

from __future__ import annotations

import io
import json
import shlex
from html import escape
from pathlib import Path
from typing import Final

from gazeviz.domain.experiments.results import EvaluationResult
from gazeviz.domain.heads import HeadSet
from gazeviz.render.evaluation_figures import data_of, draw
from gazeviz.render.report.pages import markdown_text
from gazeviz.whole_files import written_whole

EVALUATION_FORMATS: Final = ("html", "md", "json", "csv", "figures")
_COLUMNS: Final = ("condition", "n", "%", "95 %, or range of draws", "junk", "unchanged")


def write_evaluation(result: EvaluationResult, folder: Path, formats: tuple[str, ...]) -> list[Path]:
    """Write a report of `EVALUATION_FORMATS` into a folder, made where it is missing; returns the files.

    UserErrors of figures (no answer is judged yet) and of files.
    """
    from gazeviz.render.figures import save

    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    texts = {
        "html": ("evaluation.html", _html),
        "md": ("evaluation.md", _markdown),
        "json": ("evaluation.json", _json),
        "csv": ("evaluation.csv", data_of),
    }
    if "figures" in formats or "md" in formats:
        suffixes = (".svg", ".pdf", ".png") if "figures" in formats else (".svg",)
        written += [save(draw(result, _figure(result)), folder / f"evaluation{end}") for end in suffixes]
    for name, (file, text_of) in texts.items():
        if name in formats:
            with written_whole(folder / file, "report") as unfinished:
                unfinished.write_text(text_of(result), encoding="utf-8")
            written.append(folder / file)
    return written


def command_of(result: EvaluationResult) -> str:
    """The command that goes on with it, or shows it again, where its log is."""
    return f"gazeviz resume {shlex.quote(result.spec.name)}"


def _figure(result: EvaluationResult) -> str:
    return ("accuracy", "curve", "heat map")[min(len(result.spec.axes), 2)]


def _rows(result: EvaluationResult) -> list[tuple[str, ...]]:
    def share(value: float) -> str:
        return f"{100 * value:.1f}"

    return [
        (
            str(row["condition"]), str(row["n"]), share(row["accuracy"]),
            f"{share(row['low'])} to {share(row['high'])}", share(row["junk"]), share(row["unchanged"]),
        )
        for row in result.table()
    ]  # fmt: skip


def _plan(result: EvaluationResult) -> list[tuple[str, str]]:
    """What was asked for, as names and words."""
    spec = result.spec
    gaze = next((one.treatment for one in spec.conditions if one.kind == "gaze"), None)
    heads = gaze.heads if gaze and gaze.heads else HeadSet(())
    percentile = result.percentile()
    plan = [
        ("protocol", spec.protocol.name), ("prompt", spec.protocol.prompt),
        ("pictures", f"{spec.source} (fingerprint {spec.set_fingerprint[:12]})"),
        ("model", spec.model_fingerprint[:12]), ("heads", ", ".join(map(str, heads))),
        ("steered", f"{gaze.mode}, strength {gaze.strength}" if gaze else "no"),
        ("longest answer", f"{spec.protocol.new_tok} tokens"), ("seed", str(spec.seed)),
        ("swept", "; ".join(map(str, spec.axes))), ("judge", result.judged_by),
        ("answers", f"{len(result.items)} of {result.n_items}"),
        ("percentile among the draws", "" if percentile is None else f"{percentile:.0f}"),
    ]  # fmt: skip
    return [(name, words) for name, words in plan if words]


def _markdown(result: EvaluationResult) -> str:
    def line(cells: tuple[str, ...]) -> str:
        return f"| {' | '.join(markdown_text(cell) for cell in cells)} |"

    rules = f"| --- |{' ---: |' * (len(_COLUMNS) - 1)}"
    return "\n".join(
        [
            f"# {markdown_text(result.spec.name)}", "", line(_COLUMNS), rules, *map(line, _rows(result)), "",
            "![Figure](evaluation.svg)", "", "## Plan", "", "| | |", "| --- | --- |",
            *map(line, _plan(result)), "", "## The same again", "", f"    {command_of(result)}", "",
        ]
    )  # fmt: skip


def _html(result: EvaluationResult) -> str:
    def line(cells: tuple[str, ...], tag: str = "td") -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    buffer = io.StringIO()
    draw(result, _figure(result)).savefig(buffer, format="svg", metadata={"Date": None})
    figure = buffer.getvalue()
    title = escape(result.spec.name)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><table>{line(_COLUMNS, 'th')}{''.join(map(line, _rows(result)))}</table>"
        f"<figure>{figure[figure.index('<svg') :]}</figure>"
        f"<h2>Plan</h2><table class=plan>{''.join(map(line, _plan(result)))}</table>"
        f"<h2>The same again</h2><pre>{escape(command_of(result))}</pre></html>\n"
    )


def _json(result: EvaluationResult) -> str:
    document = {"result": result.to_json(), "plan": result.spec.to_json(), "command": command_of(result)}
    return json.dumps(_without_nan(document), ensure_ascii=False, indent=1)


def _without_nan(value: object) -> object:
    """JSON knows no NaN: what is undefined is null."""
    if isinstance(value, float):
        return value if value == value else None
    if isinstance(value, dict):
        return {key: _without_nan(part) for key, part in value.items()}
    return [_without_nan(part) for part in value] if isinstance(value, (list, tuple)) else value


_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{padding:.25rem .75rem;text-align:right}"
    "td,th{border-bottom:1px solid #ccc}"
    "td:first-child,th:first-child,.plan td{text-align:left}svg{max-width:100%;height:auto}"
)
