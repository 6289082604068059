"""`gazeviz judge`: let another judge, or a person, read an evaluation's stored texts; tells their kappa."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gazeviz.commands import inputs
from gazeviz.commands.evaluation import evaluate
from gazeviz.commands.terminal import Terminal, escape, table
from gazeviz.errors import Cancelled, UserError

if TYPE_CHECKING:
    from gazeviz.domain.evaluation import Verdict
    from gazeviz.engine.evaluation.judges import Judged
    from gazeviz.store import SessionStore

HELP = "Judge the stored answers of an evaluation again, by another judge or by yourself, blind."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the evaluation and the judge."""
    parser.add_argument("name", nargs="?", metavar="EVALUATION", help="its name")
    parser.add_argument("--list", action="store_true", help="list the evaluations of the log")
    parser.add_argument(
        "--judge", default="lexical", metavar="JUDGE",
        help="exact, lexical, category, likelihood, person, or http://host/v1#MODEL (default: lexical)",
    )  # fmt: skip
    evaluate.add_price(parser)
    parser.add_argument("--captions", type=Path, metavar="FILE", help="captions of your own: .txt or .json")


def run(options: argparse.Namespace, terminal: Terminal) -> int:
    """Judge, and tell the figures and how judges agree."""
    from gazeviz.evaluating import judge_of, judged_again

    store = evaluate.open_log(options, terminal)
    if store is None:
        raise UserError("Without a log there is nothing to judge.", next_step="Omit --no-log.")
    try:
        if options.list or options.name is None:
            return _list(store, terminal)
        if options.judge == "person":
            return _person(store, options.name, terminal)
        engine = inputs.load_engine(options, terminal) if options.judge == "likelihood" else None
        judge = judge_of(options.judge, engine, evaluate.judge_key(options.judge))

        def planned(n_texts: int) -> None:
            evaluate.tell_price(options.judge, n_texts, options.price, terminal)

        with terminal.progress(f"judging {options.name}") as report:
            result = judged_again(
                store, options.name, judge, captions=options.captions, progress=report, planned=planned
            )
    finally:
        store.close()
    terminal.answer(_document(result), *evaluate.told(result), *_agreement(result))
    return 0


def _document(result: Any) -> dict[str, Any]:
    document: dict[str, Any] = evaluate.without_nan(result.to_json())
    return document


def _agreement(result: Any) -> list[str]:
    others = [judge for judge in result.judges if judge != result.judged_by]
    kappas = [(judge, result.kappa(result.judged_by, judge)) for judge in others]
    return [f"kappa with {escape(judge)}: {kappa:.2f}" for judge, kappa in kappas if not math.isnan(kappa)]


def _list(store: SessionStore, terminal: Terminal) -> int:
    from gazeviz.store.evaluations import EvaluationLog

    found = EvaluationLog(store).all()
    rows = [
        (
            escape(one.name),
            one.state,
            f"{one.n_done} of {one.n_items}",
            one.spec.protocol.name,
            one.spec.judge,
        )
        for one in found
    ]
    document = {
        "evaluations": [
            {"name": one.name, "state": one.state, "done": one.n_done, "items": one.n_items} for one in found
        ]
    }
    terminal.answer(document, table(("name", "state", "answers", "protocol", "judge"), rows))
    return 0


class PersonJudge:
    """A person at the keyboard, who sees the text and the picture's file, never condition or target."""

    name = "person"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._n = 0

    def judge(self, text: str, item: Judged) -> Verdict:
        """Ask which region the text describes; q stops, and what was judged is kept (Cancelled)."""
        from gazeviz.domain.evaluation import Verdict
        from gazeviz.engine.evaluation.language_judge import numbered

        self._n += 1
        picture = self._folder / f"{getattr(item, 'sha256', self._n)}.png"
        if not picture.exists():
            numbered(item).save(picture)
        n = len(item.panels)
        sys.stderr.write(f"\n{self._n}. {picture}\n   “{text}”\n")
        while True:
            sys.stderr.write(f"   Which region, 1 to {n}? 0 for none, q to stop: ")
            sys.stderr.flush()
            answer = sys.stdin.readline()
            if not answer or answer.strip().lower() == "q":
                raise Cancelled("Judging stopped; run the same command to resume.")
            if answer.strip().isdecimal() and int(answer) <= n:
                chosen = int(answer) - 1 if int(answer) else None
                return Verdict(tuple(float(region == chosen) for region in range(n)), chosen)


def _person(store: SessionStore, name: str, terminal: Terminal) -> int:
    """Show the unjudged texts in a shuffled order, equal ones about one picture once."""
    import tempfile

    from gazeviz.evaluating import judged_again

    with tempfile.TemporaryDirectory(prefix="gazeviz-judge-") as folder:
        result = judged_again(store, name, PersonJudge(Path(folder)), shuffled=True)
    terminal.answer(_document(result), *evaluate.told(result), *_agreement(result))
    return 0
