"""How the last measurement of heads ended, in a sentence: measured, stopped, or refused."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from gazeviz.app.session_model import SessionModel
from gazeviz.domain.heads import HeadRanking


class Outcome(QObject):
    """Watches measurements begin and end. Signal `changed`: there may be something else to say."""

    changed = Signal()

    def __init__(self, model: SessionModel) -> None:
        super().__init__(model)
        self._model = model
        self._measuring = False
        self._forget()
        model.ranking_changed.connect(self._on_ranking_changed)
        model.notice_changed.connect(self._on_notice_changed)
        model.model_changed.connect(self._forget)

    @property
    def text(self) -> str:
        """What came of it; "" while nothing was measured with the loaded model."""
        if self._refused or not self._wanted:
            return self._refused
        rankings = self._model.rankings.items()
        new = [ranking for name, ranking in rankings if ranking is not self._before.get(name)]
        whole = [ranking for ranking in new if ranking.name in self._wanted]
        if whole:
            return f"Measured on {_strips(whole[0].n_strips)}: {_named(whole)}."
        parts = [ranking for ranking in new if _is_part(ranking, self._wanted)]
        if parts:
            return f"Stopped. What was measured is kept: {_named(parts)}."
        return "Stopped before anything was measured."

    def _forget(self) -> None:
        self._wanted: tuple[str, ...] = ()
        self._before: dict[str, HeadRanking] = {}
        self._refused = ""

    def _on_ranking_changed(self) -> None:
        measured = self._model.measured_rankings
        if measured and not self._measuring:
            self._wanted, self._before, self._refused = measured, dict(self._model.rankings), ""
        self._measuring = bool(measured)
        self.changed.emit()

    def _on_notice_changed(self) -> None:
        notice = self._model.notice
        if notice is not None and notice.about == "discovery" and not self._measuring:
            self._refused = f"{notice.sentence} {notice.next_step}".strip()
            self.changed.emit()


def _strips(n: int | None) -> str:
    return "the strips" if n is None else f"{n} strip{'' if n == 1 else 's'}"


def _is_part(ranking: HeadRanking, wanted: tuple[str, ...]) -> bool:
    """Whether this is what a stopped measurement has left: its name goes on with how much it was."""
    return any(ranking.name.startswith(f"{name} (") for name in wanted)


def _named(rankings: list[HeadRanking]) -> str:
    return ", ".join(ranking.name.replace("_", " ") for ranking in rankings)
