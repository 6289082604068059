"""Discovery: which heads look at what the model speaks of, measured on comic strips.

Every strip is prefilled once; the questions about its panels, its narration and the contrast of answers are
read from there, and only the attention rows that a ranking is made of are ever computed. Rankings of the
same kind share their passes. Knows the questions to ask and how results arrive; the formulas are in
`rankings` and `measurements`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.heads import HeadRanking
from gazeviz.domain.prompts import NARRATION_PROMPT, OPEN_QUESTION, panel_questions
from gazeviz.domain.region import Region
from gazeviz.engine.discovery import measurements
from gazeviz.engine.discovery.causal import Contrast, effects
from gazeviz.engine.discovery.measurements import Effect, Looks, Narrated, Sample
from gazeviz.engine.discovery.scores import panel_mass
from gazeviz.engine.evaluation.protocols import captions_in, narration_of, panel_of_tokens
from gazeviz.engine.generation.shared_prefix import PicturePrefix
from gazeviz.engine.generation.vision_cache import Vision
from gazeviz.engine.models.loading import LoadedModel
from gazeviz.engine.models.prompt import MAX_IMAGE_TOKENS, Prepared, prepare, prepare_again
from gazeviz.errors import Cancelled, UserError

# What each kind of measurement gives; a kind is measured once, however many of its rankings are wanted.
KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "looks": ("mass", "selectivity", "image_heads", "localization", "localization_by_question"),
    "narration": ("tracking",),
    "effects": ("causal",),
}
RANKINGS: Final = tuple(name for names in KINDS.values() for name in names)

# What the model may say about each panel where it must narrate by itself: the paper's 50 tokens a panel.
_NARRATED_TOK: Final = 50

Progress = Callable[[int, int, float | None], None]


class PanelledPicture(Protocol):
    """What a strip has: a picture, its panels in order, and one caption for each (or none at all)."""

    @property
    def image(self) -> Any: ...
    @property
    def panels(self) -> tuple[Region, ...]: ...
    @property
    def captions(self) -> tuple[str, ...]: ...


def discover(
    loaded: LoadedModel,
    strips: Sequence[PanelledPicture],
    by: Sequence[str] = ("mass",),
    *,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
    on_partial: Callable[[HeadRanking], None] | None = None,
    question: str | None = None,
    causal_strengths: Sequence[float] = (0.0,),
    max_image_tokens: int = MAX_IMAGE_TOKENS,
    vision: Vision | None = None,
) -> dict[str, HeadRanking]:
    """Rank all heads of a model on strips, by one or several of `RANKINGS`.

    `max_image_tokens` caps what a strip costs; `vision` remembers pictures that were seen already;
    `causal_strengths` are the strengths at which effects are taken (see `causal.effects`). `question`
    replaces the question about a panel; it holds {ordinal} ("third") or {number} ("3"), and may hold
    {count} ("six"). `progress(done, total, seconds_left)` counts measurements (None until one is done);
    `cancelled()` is asked between them; `on_partial` gets every ranking after each strip that adds to it.
    Scores come with the mean matrix A[l, h, asked, looked-at] where all strips have as many panels, and
    with the rankings of the odd and the even strips where there are two strips at least.

    Raises:
        UserError: an unknown ranking, no strips, a strip with fewer than two panels or with a panel that no
            image token shows, a question without its place, or a ranking that model or strips do not allow.
        Cancelled: `cancelled()` answered True.
    """
    wanted = _checked_names([by] if isinstance(by, str) else by)
    _check_strips(strips)
    kinds = [kind for kind, names in KINDS.items() if wanted.intersection(names)]
    session = _Session(loaded, question, frozenset(wanted), tuple(causal_strengths), max_image_tokens, vision)
    clock = _Clock(len(strips) * len(kinds), progress)
    samples: dict[str, list[tuple[int, Sample]]] = {kind: [] for kind in kinds}
    for index, strip in enumerate(strips):
        reading = session.read(strip, index)
        for kind in kinds:
            if cancelled is not None and cancelled():
                raise Cancelled("The discovery was cancelled.")
            sample = _MEASURE[kind](reading)
            if sample is not None:
                samples[kind].append((index, sample))
                if on_partial is not None:
                    for name in _named(kind, wanted):
                        on_partial(_ranking(loaded, name, samples[kind]))
            clock.tick()
    _check_measured(samples)
    return {name: _ranking(loaded, name, samples[kind]) for kind in kinds for name in _named(kind, wanted)}


@dataclass
class _Session:
    """One discovery: the model, what is asked, and whether questions may be read together."""

    loaded: LoadedModel
    question: str | None
    wanted: frozenset[str]
    causal_strengths: tuple[float, ...]
    max_image_tokens: int
    vision: Vision | None = None
    packs: bool | None = None

    def read(self, strip: PanelledPicture, index: int) -> _StripReading:
        """Prefill a strip; the first one decides whether questions are read together."""
        reading = _StripReading(self, strip, f"strip {index + 1}")
        if self.packs is None:
            asked = reading.questions if self.wanted.intersection(KINDS["looks"]) else reading.questions[:2]
            self.packs = reading.prefix.packs and reading.prefix.packing_is_exact(asked)
            reading.prefix.packs = self.packs
        return reading


@dataclass
class _StripReading:
    """One strip being measured; everything that several measurements need is made once, when it is first
    needed.
    """

    session: _Session
    strip: PanelledPicture
    name: str
    prefix: PicturePrefix = field(init=False)
    _first: Prepared | None = None

    def __post_init__(self) -> None:
        self.prefix = PicturePrefix(
            self.session.loaded,
            self.questions[0],
            packs=self.session.packs is not False,
            vision=self.session.vision,
        )

    @cached_property
    def questions(self) -> tuple[Prepared, ...]:
        """The question about each panel."""
        texts = panel_questions(self.strip.panels, self.session.question)
        return tuple(self.prepared(text) for text in texts)

    @cached_property
    def tokens_by_panel(self) -> tuple[NDArray[np.int64], ...]:
        """The image tokens of each panel; UserError for a panel that no token shows."""
        return tuple(self._tokens(panel) for panel in self.strip.panels)

    @cached_property
    def own_narration(self) -> tuple[int, ...]:
        """What the model itself says when it narrates the strip, as token ids."""
        max_new_tok = _NARRATED_TOK * len(self.strip.panels)
        return tuple(self.prefix.greedy(self.prepared(NARRATION_PROMPT), max_new_tok))

    @property
    def captions(self) -> tuple[str | None, ...]:
        """What is said about each panel: the strip's captions, else the model's own narration (None:
        nothing).
        """
        if self.strip.captions:
            return tuple(self.strip.captions)
        text = self.session.loaded.tokenizer.decode(list(self.own_narration), skip_special_tokens=True)
        said = captions_in(text, len(self.strip.panels))
        return tuple(said.get(panel) for panel in range(len(self.strip.panels)))

    def prepared(self, text: str) -> Prepared:
        """A prompt about this strip."""
        loaded, limit = self.session.loaded, self.session.max_image_tokens
        again = None if self._first is None else prepare_again(loaded, self._first, text)
        prepared = again or prepare(loaded, self.strip.image, text, max_image_tokens=limit)
        self._first = self._first or prepared
        return prepared

    def token_ids(self, text: str) -> tuple[int, ...]:
        """An answer's tokens."""
        return tuple(self.session.loaded.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _tokens(self, panel: Region) -> NDArray[np.int64]:
        try:
            return self.questions[0].grid.tokens(panel)
        except UserError as error:
            raise UserError(f"In {self.name}: {error.sentence}", next_step=error.next_step) from error


def _measure_looks(reading: _StripReading) -> Looks:
    """Ask about every panel and see where the heads look before the answer."""
    tokens_by_panel = reading.tokens_by_panel
    rows_LHKP = reading.prefix.question_rows(reading.questions)
    with_places = any(name.startswith("localization") for name in reading.session.wanted)
    return measurements.looks_of(
        rows_LHKP, tokens_by_panel, reading.questions[0].grid, with_places=with_places
    )


def _measure_narration(reading: _StripReading) -> Narrated | None:
    """Let the strip be told and see where the heads look at the row that produces each token about a panel.

    None where the model's own narration names no panel.
    """
    prompt, tokens_by_panel = reading.prepared(NARRATION_PROMPT), reading.tokens_by_panel
    captions = reading.strip.captions
    answer = reading.token_ids(narration_of(captions)) if captions else reading.own_narration
    panel_T = panel_of_tokens(reading.session.loaded.tokenizer, answer, len(tokens_by_panel))
    about = np.flatnonzero(panel_T >= 0)
    if not about.size:
        return None
    # The row that produces token t of the answer stands one place before it.
    rows_tok = (about + prompt.n_prompt_tok - 1).tolist()
    mass_LHTR = reading.prefix.rows(prompt, answer, rows_tok, lambda rows: panel_mass(rows, tokens_by_panel))
    return measurements.narrated_of(mass_LHTR, panel_T[about])


def _measure_effects(reading: _StripReading) -> Effect | None:
    """See how a push of every head towards a panel changes what is answered; None where captions are
    missing.
    """
    loaded = reading.session.loaded
    if not reading.prefix.n_tok:
        raise UserError(
            f"The causal ranking needs a model whose picture can be read ahead; {loaded.family.name} cannot.",
            next_step="Choose another ranking for this model.",
        )
    answers = tuple(reading.token_ids(caption) if caption else None for caption in reading.captions)
    contrast = Contrast(reading.prepared(OPEN_QUESTION), answers, reading.tokens_by_panel)
    if len(contrast.answered) < 2:
        return None
    return Effect(effects(loaded.hook, reading.prefix, contrast, reading.session.causal_strengths))


_MEASURE: Final[Mapping[str, Callable[[_StripReading], Sample | None]]] = {
    "looks": _measure_looks,
    "narration": _measure_narration,
    "effects": _measure_effects,
}


def _checked_names(by: Sequence[str]) -> set[str]:
    unknown = [name for name in by if name not in RANKINGS]
    if unknown or not by:
        raise UserError(
            f"There is no head ranking {unknown[0]!r}." if unknown else "No head ranking is chosen.",
            next_step=f"Choose among: {', '.join(RANKINGS)}.",
        )
    return set(by)


def _check_strips(strips: Sequence[PanelledPicture]) -> None:
    if not strips:
        raise UserError("There is no strip to measure on.", next_step="Add one picture with panels at least.")
    for number, strip in enumerate(strips, start=1):
        n_panels, n_captions = len(strip.panels), len(strip.captions)
        if n_panels < 2:
            raise UserError(
                f"Strip {number} has {n_panels or 'no'} panel, so there is nothing to choose between.",
                next_step="Use strips with two panels or more.",
            )
        if n_captions not in (0, n_panels):
            raise UserError(
                f"Strip {number} has {n_panels} panels and {n_captions} captions.",
                next_step="Give one caption for each panel, or none.",
            )


def _check_measured(samples: Mapping[str, Sequence[tuple[int, Sample]]]) -> None:
    """Refuse a ranking that no strip could add to."""
    for kind, measured in samples.items():
        if not measured:
            raise UserError(
                f"The ranking “{KINDS[kind][0]}” could not be measured: the strips have no captions, and the"
                " model's own narration does not say which panel it speaks of.",
                next_step="Give the strips captions, or choose another ranking.",
            )


def _named(kind: str, wanted: set[str]) -> list[str]:
    return [name for name in KINDS[kind] if name in wanted]


def _ranking(loaded: LoadedModel, name: str, measured: Sequence[tuple[int, Sample]]) -> HeadRanking:
    """The ranking of the strips so far, with its halves where both have strips."""
    parts = [[sample for index, sample in measured if index % 2 == half] for half in (0, 1)]
    halves = tuple(_plain_ranking(loaded, name, part) for part in parts) if all(parts) else None
    whole = _plain_ranking(loaded, name, [sample for _, sample in measured])
    return replace(whole, halves=(halves[0], halves[1]) if halves else None)


def _plain_ranking(loaded: LoadedModel, name: str, samples: Sequence[Sample]) -> HeadRanking:
    scores_LH = measurements.scores(name, samples)
    present = sum(site.n_heads for site in loaded.hook.sites)
    if np.isfinite(scores_LH).sum() != present:
        raise UserError(
            f"The ranking “{name}” is not a number for some heads of this model in {loaded.dtype}.",
            next_step="Load the model in float32 or bfloat16, which do not overflow.",
        )
    return HeadRanking(name, scores_LH, len(samples), measurements.matrix(samples), model=loaded.path.name)


class _Clock:
    """Counts measurements and guesses how long the rest takes from the mean of those done."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total, self._done, self._progress = total, 0, progress
        self._started = time.monotonic()
        if progress is not None:
            progress(0, total, None)

    def tick(self) -> None:
        """One more measurement is done."""
        self._done += 1
        if self._progress is not None:
            elapsed = time.monotonic() - self._started
            self._progress(self._done, self._total, elapsed / self._done * (self._total - self._done))
