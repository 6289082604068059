"""One side of the transcript: header, tokens, state, verdict and, folded, the audit.

Follows the run that its side shows: tokens are added as they arrive, everything else is said anew when the
run or what it depends on has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final, cast

from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gazeviz.app.history.judgement import judgement
from gazeviz.app.runs.readiness import reasons
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import Picture, RunRecord
from gazeviz.domain.answer_text import Junk, junk_kind
from gazeviz.domain.wording import token_sign
from gazeviz.ui.answers.audit_view import AuditDetails, VerdictLine
from gazeviz.ui.answers.run_status import Situation, Tone, junk_warning, situation
from gazeviz.ui.answers.run_text import (
    HeaderPart,
    RunCues,
    TintBy,
    header_tip,
    progress_text,
    steering_parts,
    token_tip,
    tokens_table,
)
from gazeviz.ui.answers.token_cursor import COLUMNS, Column, TokenCursor
from gazeviz.ui.widgets import theme
from gazeviz.ui.widgets.command import Command, add_commands
from gazeviz.ui.widgets.controls import choice_button, draw_words, hairline, named
from gazeviz.ui.widgets.region_badge import draw_badge
from gazeviz.ui.widgets.region_cue import RegionCue
from gazeviz.ui.widgets.token_flow import Mark, TokenFlow, spell

# The head of a transcript's column: which side it is, and how its run was steered.


_HEIGHT_PX: Final = 30
_BASELINE_PX: Final = 20
_BADGE_PX: Final = 14
_GAP_PX: Final = 8
_LEAST_REGION_PX: Final = 44


class HeaderLine(QWidget):
    """A line of text in which regions stand with their number and underlined with their colour."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self._parts: tuple[HeaderPart, ...] = ()
        self.setFixedHeight(_HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    @property
    def text(self) -> str:
        """All of it as plain text."""
        return f"{self._title}  {''.join(part.text for part in self._parts)}"

    def show_parts(self, parts: Sequence[HeaderPart], tip: str) -> None:
        """Say how the run was steered."""
        self._parts = tuple(parts)
        self.setToolTip(tip)
        self.setAccessibleName(self.text)
        self.update()

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(200, _HEIGHT_PX)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the parts as far as there is room, and dots where there is none."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = theme.current()
        x_px = self._draw_text(painter, 0.0, self._title, theme.font_ui(13, 600), colours.ink) + _GAP_PX
        for part in self._parts:
            room_px = self.width() - x_px
            if room_px < (8 if part.cue is None else _LEAST_REGION_PX):
                if room_px > 0:  # else what stands there ends in dots already
                    self._draw_text(painter, x_px, "…", theme.font_ui(12), colours.soft)
                return
            if part.cue is None:
                x_px = self._draw_text(painter, x_px, part.text, theme.font_ui(12), colours.soft)
            else:
                x_px = self._draw_region(painter, x_px, part.text, part.cue)

    def _draw_text(self, painter: QPainter, x_px: float, text: str, font: QFont, colour: QColor) -> float:
        """Draw text on the line's baseline; returns where it ends."""
        painter.setFont(font)
        painter.setPen(colour)
        return draw_words(painter, QPointF(x_px, _BASELINE_PX), text, self.width())

    def _draw_region(self, painter: QPainter, x_px: float, text: str, cue: RegionCue) -> float:
        if cue.number:
            x_px = self._draw_badge(painter, x_px, cue)
        end_px = self._draw_text(painter, x_px, text, theme.font_ui(12, 500), theme.current().ink)
        painter.fillRect(QRectF(x_px, _BASELINE_PX + 3, end_px - x_px, 2), cue.solid)
        return end_px

    def _draw_badge(self, painter: QPainter, x_px: float, cue: RegionCue) -> float:
        width_px = _BADGE_PX + 6.0 * (len(cue.number) - 1)
        badge = QRectF(x_px, _BASELINE_PX - 11, width_px, _BADGE_PX)
        draw_badge(painter, badge, cue.number, cue.colour, theme.font_mono(10, 500), radius_px=3)
        return x_px + width_px + 4


# A state of a run on the screen: a sentence, the next step, and a button that does it.


class StatePane(QWidget):
    """Shows a situation; hidden where there is none."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._situation: Situation | None = None
        self._commands: dict[str, Command] = {}
        self._dot = ToneDot()
        self._words = named(QLabel(), f"{name}State")
        self._words.setWordWrap(True)
        self._words.setTextFormat(Qt.TextFormat.RichText)
        self._words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._button = named(QPushButton(), f"{name}StateButton")
        self._button.setProperty("kind", "pill")
        self._button.clicked.connect(self._on_clicked)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 2, 0, 2)
        layout.setSpacing(2 * theme.SPACE)
        layout.addWidget(self._dot, 0, Qt.AlignmentFlag.AlignVCenter)
        layout.addWidget(self._words, 1)
        layout.addWidget(self._button, 0, Qt.AlignmentFlag.AlignVCenter)
        theme.changed.connect(self._draw_words)
        self.show_situation(None)

    @property
    def situation(self) -> Situation | None:
        """What is said now."""
        return self._situation

    def show_commands(self, commands: Sequence[Command]) -> None:
        """Offer these, each where a situation asks for it."""
        self._commands = {command.id: command for command in commands}
        self.show_situation(self._situation)

    def show_situation(self, situation: Situation | None) -> None:
        """Say something, or nothing."""
        self._situation = situation
        self.setVisible(situation is not None)
        if situation is None:
            return
        command = self._commands.get(situation.command)
        self._button.setVisible(command is not None)
        if command is not None:
            self._button.setText(command.title)
            self._button.setToolTip(command.hint)
            self._button.setAccessibleName(f"{command.title}: {command.tip}")
        self._dot.show_tone(situation.tone)
        self._draw_words()

    def _draw_words(self) -> None:
        if self._situation is None:
            return
        soft = theme.current().soft.name()
        sentence, next_step = escape(self._situation.sentence), escape(self._situation.next_step)
        self._words.setText(f'{sentence} <span style="color:{soft}">{next_step}</span>')
        self._words.setAccessibleName(f"{self._situation.sentence} {self._situation.next_step}".strip())

    def _on_clicked(self) -> None:
        command = self._commands.get(self._situation.command) if self._situation is not None else None
        if command is not None:
            command.run()


class ToneDot(QWidget):
    """A warning sign for what went wrong; nothing for what is as it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(16, 16)
        self.hide()

    def show_tone(self, tone: Tone) -> None:
        """Take the tone."""
        self.setVisible(tone != "quiet")

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the sign."""
        theme.icon("warning").paint(QPainter(self), self.rect())


_TITLES = {"baseline": "Baseline", "steered": "Steered"}
_ANY_HEIGHT_PX: Final = 16777215  # Qt's QWIDGETSIZE_MAX
_PROGRESS_MS: Final = 125
"""How often is said how far a run is: tokens come faster than anybody reads figures."""
_JUNK_EVERY_TOK: Final = 8
"""How often a text that is being written is looked at for loops."""


class TranscriptColumn(QWidget):
    """The answer of one side."""

    def __init__(
        self, side: Column, model: SessionModel, controller: RunController, cursor: TokenCursor
    ) -> None:
        super().__init__()
        self.setObjectName(f"{side}Column")
        self._side: Column = side
        self._model, self._controller, self._cursor = model, controller, cursor
        self._record: RunRecord | None = None
        self._cues: RunCues | None = None
        self._tint_by: TintBy = "looks_at"
        self._live_junk: Junk | None = None
        self._judged: tuple[RunRecord, Picture | None, tuple[str, str] | None] | None = None
        self.header = HeaderLine(_TITLES[side])
        self.flow = TokenFlow(f"{side}Tokens", f"Tokens of the {side} answer", self._tip_of)
        self.state = StatePane(side)
        self.verdict = VerdictLine(side)
        self.details = AuditDetails(side)
        self.head_row = QHBoxLayout()
        self._foot = model.frames.part(self, self._refresh_foot)
        self._progress = model.frames.part(self, self._refresh_verdict)
        self._build()
        self._connect()
        self.refresh()

    def _build(self) -> None:
        copy = named(QToolButton(), f"{self._side}Copy")
        copy.setIconSize(QSize(14, 14))
        copy.setToolTip(f"Copy the {self._side} answer's text")
        copy.setAccessibleName(copy.toolTip())
        copy.clicked.connect(self.copy_text)
        self._copy = copy
        self.head_row.setSpacing(theme.SPACE)
        self.head_row.setContentsMargins(4, 0, 0, 0)
        self.head_row.addWidget(self.header, 1)
        self.head_row.addWidget(copy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 4, 10, 4)
        layout.setSpacing(2)
        layout.addLayout(self.head_row)
        layout.addWidget(self.flow, 2)
        layout.addWidget(self.state)
        layout.addWidget(self.verdict)
        layout.addWidget(self.details, 3)
        layout.addStretch(0)
        self.flow.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._draw_icon()

    def _connect(self) -> None:
        model, flow = self._model, self.flow
        model.run_changed.connect(self._on_run_changed)
        model.step_arrived.connect(self._on_step_arrived)
        model.cursor_changed.connect(self.refresh_mark)
        model.regions_changed.connect(self._on_regions_changed)
        for signal in reasons(model, self._side):
            signal.connect(self._on_reason_changed)
        self._foot.follow(model.worker_changed, model.picture_changed)
        flow.pointed.connect(self._on_pointed)
        flow.stepped.connect(lambda by, extend: self._cursor.step(self._side, by, extend))
        flow.follow_wanted.connect(self._cursor.follow)
        flow.lines_changed.connect(self._share_height)
        flow.copy_wanted.connect(self.copy_selection)
        flow.customContextMenuRequested.connect(self._on_menu)
        self.verdict.folded_out.connect(self._share_height)
        theme.changed.connect(self._draw_icon)

    # What is shown

    @property
    def record(self) -> RunRecord | None:
        """The run that is shown."""
        return self._record

    def tint_by(self, by: TintBy) -> None:
        """Colour tokens by the region they look at most, or by their target."""
        if by != self._tint_by:
            self._tint_by = by
            self._retint()

    def refresh(self) -> None:
        """Show the side's run from its first token on."""
        self._record = self._model.run_of(self._side)
        self._cues = RunCues(self._model, self._record) if self._record is not None else None
        self._live_junk = None
        self.flow.clear()
        self._append_new()
        self.refresh_mark()
        self._refresh_words()

    def refresh_mark(self) -> None:
        """Outline the cursor's tokens, or the newest one if it is what everything shows."""
        mark = self._mark()
        self.flow.mark(mark)
        self.flow.setAccessibleDescription(
            self._description_of(mark) if mark is not None and mark.pinned else ""
        )

    def _description_of(self, mark: Mark) -> str:
        """The tokens under the cursor, for whoever cannot see them."""
        record, cues = self._record, self._cues
        steps = record.steps[mark.first : mark.last + 1] if record is not None else []
        text = "".join(step.text for step in steps).strip()
        if mark.first != mark.last or record is None or cues is None or not steps:
            return f"tokens {mark.first} to {mark.last}: {text}"
        label = text or token_sign(steps[0].token_id, record.special_tokens)
        cue = cues.of_step(steps[0], "looks_at")
        return f"token {mark.first}: {label}, looks at {cue.name if cue is not None else 'no region'}"

    def _mark(self) -> Mark | None:
        cursor, n_tok = self._model.cursor, self.flow.n_tok
        if cursor is not None:
            mine = cursor.side == self._side and cursor.first < n_tok
            return Mark(cursor.first, min(cursor.last, n_tok - 1), True) if mine else None
        if not n_tok or self._cursor.side != self._side:
            return None
        return Mark(n_tok - 1, n_tok - 1, False)

    def _append_new(self) -> None:
        record, cues = self._record, self._cues
        if record is None or cues is None:
            return
        for step in record.steps[self.flow.n_tok :]:
            spelling = spell(step.text, step.token_id, record.special_tokens)
            self.flow.append(spelling, cues.of_step(step, self._tint_by))

    def _retint(self) -> None:
        record, cues = self._record, self._cues
        if record is not None and cues is not None:
            self.flow.tint([cues.of_step(step, self._tint_by) for step in record.steps])

    def _refresh_words(self) -> None:
        self._refresh_header()
        self._refresh_foot()

    def _refresh_header(self) -> None:
        record, cues = self._record, self._cues
        self._copy.setEnabled(record is not None and bool(record.steps))
        if record is None or cues is None:
            nothing = "no steering" if self._side == "baseline" else ""
            self.header.show_parts((HeaderPart(nothing),), "")
        else:
            self.header.show_parts(steering_parts(record, cues), header_tip(record))

    def _refresh_foot(self) -> None:
        self._foot.drop()
        record = self._record
        shown = situation(self._model, self._side, record)
        if shown is None and record is not None and self._live_junk is not None and not record.ended:
            shown = junk_warning(record, self._live_junk)
        self.state.show_situation(shown)
        self.flow.setVisible(bool(self.flow.n_tok))
        self._refresh_verdict()
        audit = record.summary.audit if record is not None and record.summary is not None else None
        if audit is not None:
            self.details.show_audit(audit)
        self._share_height()

    def _share_height(self) -> None:
        """Give the audit, where it is folded out, the room that the tokens do not need."""
        self.details.setVisible(self.verdict.open)
        self.flow.setMaximumHeight(self.flow.content_height_px if self.verdict.open else _ANY_HEIGHT_PX)

    def _refresh_verdict(self) -> None:
        self._progress.drop()
        record = self._record
        self.verdict.setVisible(
            record is not None and bool(record.steps) and record.state not in ("failed", "lost")
        )
        if record is None or not record.steps:
            self.verdict.show_nothing()
        elif not record.ended:
            self.verdict.show_progress(progress_text(record, self._model.cursor is None))
        else:
            audit = record.summary.audit if record.summary is not None else None
            junk = record.summary.junk if record.summary is not None else junk_kind(record.text)
            self.verdict.show_verdict(junk, self._judgement_of(record), audit)

    def _judgement_of(self, record: RunRecord) -> tuple[str, str] | None:
        """What the words of a run that has ended are about: found once, and asked for at every change."""
        picture, last = self._model.picture, self._judged
        if last is None or last[0] is not record or last[1] is not picture:
            last = self._judged = record, picture, judgement(record, picture)
        return last[2]

    # What happens

    def _on_reason_changed(self, *_: object) -> None:
        """While there is no run, what one needs is said."""
        if self._record is None:
            self._foot.request()

    def _on_run_changed(self, run_id: int) -> None:
        record = self._model.run_of(self._side)
        if record is not self._record:
            self.refresh()
        elif record is not None and record.id == run_id:
            self._append_new()
            self.refresh_mark()
            self._refresh_header()
            self._foot.request()
        elif record is None or record.state == "queued":
            self._foot.request()  # what the other side does can be what this one waits for

    def _on_step_arrived(self, run_id: int, index: int) -> None:
        record = self._record
        if record is None or record.id != run_id:
            self.refresh_mark()  # another side may show the newest token now
            return
        first = self.flow.n_tok == 0
        before = record.steps[index - 1].target if index else None
        self._append_new()
        self.refresh_mark()
        if index % _JUNK_EVERY_TOK == _JUNK_EVERY_TOK - 1:
            self._look_for_loops(record)
        if first or record.steps[index].target != before:
            self._refresh_words()
        else:
            self._progress.request(_PROGRESS_MS)

    def _look_for_loops(self, record: RunRecord) -> None:
        junk = junk_kind(record.text)
        looping: Junk | None = "looping" if junk == "looping" else None
        if looping != self._live_junk:
            self._live_junk = looping
            self._refresh_foot()

    def _on_regions_changed(self) -> None:
        if self._record is not None:
            self._cues = RunCues(self._model, self._record)
            self._retint()
        self._refresh_words()

    def _on_pointed(self, index: int, extend: bool) -> None:
        self._cursor.move_to(self._side, index, extend)

    def _tip_of(self, index: int) -> str:
        record, cues = self._record, self._cues
        if record is None or cues is None or index >= len(record.steps):
            return ""
        return token_tip(record, index, cues)

    # Copying

    def copy_text(self) -> None:
        """Copy the whole answer."""
        if self._record is not None:
            QGuiApplication.clipboard().setText(self._record.text)

    def copy_selection(self) -> None:
        """Copy the tokens of the cursor; without one on this side, the whole answer."""
        record, cursor = self._record, self._model.cursor
        if record is None or cursor is None or cursor.side != self._side:
            self.copy_text()
            return
        text = (record.steps[step].text for step in cursor.steps if step < len(record.steps))
        QGuiApplication.clipboard().setText("".join(text))

    def copy_table(self) -> None:
        """Copy every token with its figures, for a spreadsheet."""
        if self._record is not None and self._cues is not None:
            QGuiApplication.clipboard().setText(tokens_table(self._record, self._cues))

    @property
    def copy_commands(self) -> list[Command]:
        """Copying the text of this side, or a part of it."""

        def nothing() -> str | None:
            there = self._record is not None and bool(self._record.steps)
            return None if there else f"There is no {self._side} answer yet. Run the model first."

        side = self._side
        return [
            Command(f"answers.copy_selection_{side}", f"Copy selected tokens of the {side} answer", "",
                    "Copy the text of the tokens that are selected.", self.copy_selection, nothing,
                    label="Copy selected tokens"),
            Command(f"answers.copy_text_{side}", f"Copy the text of the {side} answer", "",
                    "Copy the whole text.", self.copy_text, nothing, label="Copy the text"),
            Command(f"answers.copy_table_{side}", f"Copy all tokens of the {side} answer with figures", "",
                    "Copy every token with its figures, as columns for a spreadsheet.", self.copy_table,
                    nothing, label="Copy all tokens with figures"),
        ]  # fmt: skip

    def _on_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        add_commands(menu, self.copy_commands)
        menu.popup(self.flow.viewport().mapToGlobal(at))

    def _draw_icon(self) -> None:
        self._copy.setIcon(theme.icon("copy"))


# The transcript: baseline and steered answer side by side, as tokens that stream in.
#
# A token's colour says where it looks; the cursor on tokens is the cursor of the whole window.


_TINTS = (("looks_at", "Colour: looks at"), ("target", "Colour: target"))


class TranscriptView(QWidget):
    """Two columns of tokens."""

    def __init__(self, model: SessionModel, controller: RunController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("transcript")
        self._cursor = TokenCursor(model)
        self.columns: dict[Column, TranscriptColumn] = {
            side: TranscriptColumn(side, model, controller, self._cursor) for side in COLUMNS
        }
        self.tint = choice_button(
            "tokenTint",
            "Colour tokens by the region that the chosen heads look at most, or by their target",
            _TINTS,
            self._on_tint,
            "Tokens",
        )
        self.tint.setProperty("kind", "flat")
        self.tint.setFont(theme.font_ui(12, 500))
        self.columns["baseline"].head_row.insertWidget(1, self.tint)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.columns["baseline"], 1)
        layout.addWidget(hairline(vertical=True))
        layout.addWidget(self.columns["steered"], 1)

    @property
    def copy_commands(self) -> list[Command]:
        """Copying the text of either side."""
        return [command for column in self.columns.values() for command in column.copy_commands]

    def show_commands(self, commands: Sequence[Command]) -> None:
        """Offer these beside what is said of a run."""
        for column in self.columns.values():
            column.state.show_commands(commands)

    def hasHeightForWidth(self) -> bool:
        """No: it takes what room there is, whatever wraps in it; else parts beside it would be squeezed."""
        return False

    def copy_text(self) -> None:
        """Copy the tokens that are selected, or the text of the side that is looked at."""
        side = self._cursor.side
        if side is not None:
            self.columns[side].copy_selection()

    def _on_tint(self, by: str) -> None:
        self.tint.set_current(by)
        for column in self.columns.values():
            column.tint_by(cast(TintBy, by))
