"""What the worker works on: the engine, behind the few calls that a worker needs.

The one place of this room that imports the engine, and with it torch, when the first model is loaded. A
scripted model can stand in its place (tests.fakes.scripted).
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gazeviz.domain.experiments.head_examples import HeadExamples
from gazeviz.domain.experiments.head_metrics import HeadMetrics
from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.heads import Head, HeadRanking, HeadSet
from gazeviz.domain.messages import (
    GenerateSpec,
    LoadModel,
    ModelInfo,
    PictureSource,
    Recommended,
    StripsSource,
)
from gazeviz.domain.region import Region
from gazeviz.domain.run import Run, Step
from gazeviz.domain.steering import HeadMeans

if TYPE_CHECKING:
    from PIL.Image import Image

    from gazeviz.engine.engine import Engine
    from gazeviz.engine.models.description import Recommendation


LoadProgress: TypeAlias = Callable[[str, float], None]
RankProgress: TypeAlias = Callable[[int, int, float | None], None]

NAMED_TOKENS: Final = 512
"""So many special tokens are named: some tokenizers reserve thousands, and models write the first ones."""


class StreamLike(Protocol):
    """An answer while it is written; see gazeviz.engine.generation.decoding.Stream."""

    revised: Callable[[], bool] | None

    def __iter__(self) -> Iterator[Step]: ...
    def __next__(self) -> Step: ...
    def retarget(self, region: Region | None) -> None: ...
    def cancel(self) -> None: ...
    def run(self) -> Run: ...


class ModelBackend(Protocol):
    """A loaded model."""

    def info(self) -> ModelInfo: ...

    def open_picture(self, source: PictureSource, max_image_tok: int | None) -> Any:
        """Decode a picture; what comes back is only ever handed to the machine again."""

    def lay_out(self, picture: Any) -> tuple[TokenGrid, NDArray[np.uint8]]:
        """Where a picture's image tokens lie, and the pixels that the model is fed, uint8 (H, W, 3)."""

    def all_heads(self) -> HeadSet: ...

    def stream(self, picture: Any, spec: GenerateSpec, track: HeadSet) -> StreamLike:
        """Begin an answer; nothing is computed before its first step is asked for."""

    def rank(
        self,
        source: StripsSource,
        by: tuple[str, ...],
        *,
        progress: RankProgress,
        cancelled: Callable[[], bool],
        on_partial: Callable[[HeadRanking], None],
    ) -> Mapping[str, HeadRanking]: ...

    def measure_heads(
        self,
        pictures: str,
        prompt: str,
        effects_of: tuple[HeadSet, ...],
        *,
        progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
    ) -> HeadMetrics:
        """Measure all heads over a set of pictures, and the effects of some."""

    def collect_examples(
        self,
        head: Head,
        pictures: str,
        prompt: str,
        *,
        progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
    ) -> HeadExamples:
        """Describe a set of pictures and collect one head's examples."""

    def measure_means(
        self,
        heads: HeadSet,
        pictures: str,
        prompt: str,
        *,
        progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
    ) -> HeadMeans:
        """Measure what heads put out on average over a set of pictures."""

    def release_memory(self) -> None: ...


Load: TypeAlias = Callable[[LoadModel, Callable[[], None], LoadProgress], ModelBackend]
"""Loads what a request names. The second argument is called once, before memory is needed: then the model
before has to go. Raises UserError, before that call where it can."""


@dataclass(frozen=True, eq=False)
class OpenedPicture:
    """A decoded picture, and how many image tokens it may cost (None: as many as is usual)."""

    image: Image
    max_image_tok: int | None


class EngineAdapter:
    """The real thing."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._usual_max_tok = engine.max_image_tokens

    def info(self) -> ModelInfo:
        """The model in numbers and words, with what its folder recommends.

        Raises UserError for rankings in it that are damaged or of another model.
        """
        from gazeviz.engine.models.description import recommendation

        described = self._engine.describe_model()
        advice = recommendation(described.path, described.shape_LH)
        moving = recommendation(described.path, described.shape_LH, "moving")
        return ModelInfo(
            name=described.name,
            path=str(described.path),
            family=described.family,
            shape_LH=described.shape_LH,
            heads_present_LH=described.present_LH,
            device=described.device,
            dtype=described.dtype,
            why_not_gpu=described.why_not_gpu,
            fingerprint=described.fingerprint,
            max_image_tok=self._usual_max_tok,
            default_ranking=advice.ranking if advice else None,
            recommended=_settings(advice) if advice else None,
            rankings=_rankings(described.path, described.shape_LH),
            n_parameters=described.n_parameters,
            context_tok=described.context_tok,
            recommended_moving=_settings(moving, moving.ranking.name) if moving else None,
            special_tokens=dict(islice(self._engine.loaded.special_tokens.items(), NAMED_TOKENS)),
        )

    def open_picture(self, source: PictureSource, max_image_tok: int | None) -> OpenedPicture:
        """Decode a picture; UserErrors of gazeviz.imaging."""
        return OpenedPicture(decoded_image(source), max_image_tok)

    def lay_out(self, picture: OpenedPicture) -> tuple[TokenGrid, NDArray[np.uint8]]:
        """Where the image tokens lie, and what the model is fed."""
        prepared = self._engine.prepared(self._within_limit(picture), "Describe this picture.")
        return prepared.grid, np.asarray(prepared.fed_image.convert("RGB"), dtype=np.uint8)

    def all_heads(self) -> HeadSet:
        """Every head that the model has."""
        return self._engine.all_heads()

    def stream(self, picture: OpenedPicture, spec: GenerateSpec, track: HeadSet) -> StreamLike:
        """Begin an answer; UserErrors of gazeviz.engine.engine.Engine.stream."""
        return self._engine.stream(
            self._within_limit(picture),
            spec.prompt,
            steering=spec.steering,
            max_new_tokens=spec.max_new_tokens,
            sampling=spec.sampling,
            track=track,
        )

    def rank(
        self,
        source: StripsSource,
        by: tuple[str, ...],
        *,
        progress: RankProgress,
        cancelled: Callable[[], bool],
        on_partial: Callable[[HeadRanking], None],
    ) -> Mapping[str, HeadRanking]:
        """Rank all heads on strips; UserErrors of the strips and of gazeviz.engine.discovery.discovery."""
        from gazeviz.backend.strips import strips_of

        return self._engine.rank(
            strips_of(source), by, progress=progress, cancelled=cancelled, on_partial=on_partial
        )

    def measure_heads(
        self,
        pictures: str,
        prompt: str,
        effects_of: tuple[HeadSet, ...],
        *,
        progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
    ) -> HeadMetrics:
        """Open the set and measure; UserErrors of the set and of gazeviz.engine.discovery.head_metrics."""
        from gazeviz.backend.picture_sets import open_set
        from gazeviz.domain.experiments.picture_set import SetSource

        return self._engine.head_metrics(
            open_set(SetSource.parse(pictures)), prompt=prompt, effects_of=effects_of,
            progress=progress, cancelled=cancelled,
        )  # fmt: skip

    def collect_examples(
        self,
        head: Head,
        pictures: str,
        prompt: str,
        *,
        progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
    ) -> HeadExamples:
        """Open the set and collect; UserErrors of the set and of gazeviz.engine.discovery.head_examples."""
        from gazeviz.backend.picture_sets import open_set
        from gazeviz.domain.experiments.picture_set import SetSource
        from gazeviz.engine.discovery.head_examples import examples_over

        source = SetSource.parse(pictures)
        opened = open_set(source).pictures
        return examples_over(
            self._engine, opened, prompt, head, names=[one.name for one in opened], measured_on=str(source),
            progress=progress, cancelled=cancelled,
        )  # fmt: skip

    def measure_means(
        self,
        heads: HeadSet,
        pictures: str,
        prompt: str,
        *,
        progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
    ) -> HeadMeans:
        """Open the set and measure; UserErrors of the set and of gazeviz.engine.discovery.head_metrics."""
        from gazeviz.backend.picture_sets import open_set
        from gazeviz.domain.experiments.picture_set import SetSource

        return self._engine.head_means(
            open_set(SetSource.parse(pictures)), heads, prompt=prompt, progress=progress, cancelled=cancelled
        )

    def release_memory(self) -> None:
        """Give back what can be given back; the model stays."""
        self._engine.release_memory()

    def _within_limit(self, picture: OpenedPicture) -> Image:
        """The picture, with the engine set to what it may cost; the engine reads that when it prepares."""
        self._engine.max_image_tokens = picture.max_image_tok or self._usual_max_tok
        return picture.image


def load_engine(request: LoadModel, make_room: Callable[[], None], progress: LoadProgress) -> ModelBackend:
    """Load a model with the engine; what can be refused by looking at its folder is refused before that."""
    progress("starting PyTorch", 0.0)
    from transformers.utils.logging import disable_progress_bar

    from gazeviz.engine.engine import load
    from gazeviz.engine.models.families import family_of
    from gazeviz.engine.models.loading import find_folder, read_config, weight_files

    leave_a_core_to_the_screen()
    folder = find_folder(request.source)
    family_of(read_config(folder))
    weight_files(folder)
    make_room()
    # Ours is on the screen, and the lock of a bar outlives a worker that is killed.
    disable_progress_bar()  # type: ignore[no-untyped-call]
    return EngineAdapter(load(request.source, device=request.device, dtype=request.dtype, progress=progress))


@cache
def leave_a_core_to_the_screen() -> None:
    """In a worker process, let PyTorch compute on all cores but one, unless OMP_NUM_THREADS says how many.

    Its threads wait for each other by spinning: with one core taken by the screen, a token of a small model
    took ten times as long on all cores as on all but one.
    """
    import torch

    if multiprocessing.parent_process() is not None and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, torch.get_num_threads() - 1))


def decoded_image(source: PictureSource) -> Image:
    """Decode a picture from its file or its bytes; UserErrors of gazeviz.imaging."""
    from gazeviz.imaging import open_encoded, open_picture

    if source.path is not None:
        return open_picture(Path(source.path))
    return open_encoded(source.data or b"", source.name)


def _settings(advice: Recommendation, ranking: str = "") -> Recommended:
    return Recommended(advice.n, advice.mode, advice.strength, advice.scope, advice.alpha, ranking)


def _rankings(folder: Path, shape_LH: tuple[int, int]) -> dict[str, HeadRanking]:
    """All rankings that lie in a model's folder, by name."""
    from gazeviz.engine.models.description import RANKINGS_FOLDER

    files = sorted((folder / RANKINGS_FOLDER).glob("*.json"))
    return {path.stem: HeadRanking.load(path, shape_LH) for path in files}
