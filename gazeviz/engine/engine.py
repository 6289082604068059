"""The engine: one loaded model, and everything that a person can ask of it in one line.

The notebook's and the worker's face of this room. It opens pictures, checks and writes requests that hold
all that can change a result, and hands the work to the modules that do it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from gazeviz.domain.experiments.picture_set import PictureSet
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.notebook_face import remember_picture
from gazeviz.domain.prompts import OPEN_QUESTION
from gazeviz.domain.run import Run, Sampling
from gazeviz.domain.steering import HeadMeans, Steering
from gazeviz.engine.generation.batching import Turn, batches
from gazeviz.engine.generation.decoding import Answer, Decoding, Stream
from gazeviz.engine.generation.passes import Memory, PromptRunner
from gazeviz.engine.generation.read_along import Reading, read_along
from gazeviz.engine.generation.target_tracker import TargetTracker, first_biased_row, plan_for
from gazeviz.engine.generation.vision_cache import ByteCache
from gazeviz.engine.models.description import ModelDescription, request_for
from gazeviz.engine.models.loading import LoadedModel, Progress, load_model
from gazeviz.engine.models.prompt import MAX_IMAGE_TOKENS, Prepared, prepare
from gazeviz.errors import Cancelled, UserError
from gazeviz.imaging import Picture, open_picture, picture_sha256

if TYPE_CHECKING:
    from gazeviz.domain.experiments.head_metrics import HeadMetrics
    from gazeviz.domain.grid import TokenGrid
    from gazeviz.engine.discovery.discovery import PanelledPicture
    from gazeviz.engine.discovery.discovery import Progress as DiscoveryProgress

NO_HEADS = HeadSet(())
_PREPARED_BYTES = 128 * 2**20
_ANY_PROMPT = "Describe this picture."  # for a grid alone; the prompt does not move the image tokens' places


class Engine:
    """A loaded model that can be asked, watched and steered.

    One pass at a time: calls from several threads take turns, pass by pass. `max_image_tokens` bounds what a
    picture may cost; a larger picture is fed smaller.
    """

    def __init__(self, loaded: LoadedModel, *, max_image_tokens: int = MAX_IMAGE_TOKENS) -> None:
        self._loaded = loaded
        self._turn = Turn()
        self._memory = Memory(loaded.model)
        self._prepared: ByteCache[Prepared] = ByteCache(_PREPARED_BYTES)
        self.max_image_tokens = max_image_tokens

    @property
    def model(self) -> Any:
        """The transformers model."""
        return self._loaded.model

    @property
    def processor(self) -> Any:
        """The checkpoint's processor."""
        return self._loaded.processor

    @property
    def tokenizer(self) -> Any:
        """The processor's tokenizer."""
        return self._loaded.tokenizer

    @property
    def family(self) -> str:
        """The model's family, as its config.json names it."""
        return self._loaded.family.name

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._loaded.device

    @property
    def dtype(self) -> torch.dtype:
        """The number type of its weights."""
        return self._loaded.dtype

    @property
    def shape_LH(self) -> tuple[int, int]:
        """Layers of the language model, and heads of the widest one."""
        return self._loaded.hook.shape_LH

    @property
    def turn(self) -> Turn:
        """What a pass holds while it runs: `with engine.turn` keeps others from the model."""
        return self._turn

    @property
    def loaded(self) -> LoadedModel:
        """The model with its hook, for code that works below this face."""
        return self._loaded

    @property
    def special_tokens(self) -> dict[int, str]:
        """Names of the tokens that add no text, by id."""
        return self._loaded.special_tokens

    def describe_model(self) -> ModelDescription:
        """What is loaded, and where it computes."""
        return ModelDescription.of(self._loaded, self.max_image_tokens)

    def prepare(self, image: Picture, prompt: str) -> dict[str, torch.Tensor]:
        """The model's inputs for a picture and a prompt, as `engine.model(**inputs)` takes them."""
        return dict(self.prepared(image, prompt).inputs)

    def prepared(self, image: Picture, prompt: str) -> Prepared:
        """The same with the places of the image tokens; UserErrors of gazeviz.engine.models.prompt.

        Kept for a while: an experiment asks the same of the same picture again and again.
        """
        picture = open_picture(image)
        sha256 = picture_sha256(picture)
        remember_picture(sha256, np.asarray(picture))  # for what a notebook shows of runs on it
        key = f"{sha256} {self.max_image_tokens} {prompt}"
        with self._turn:
            prepared = self._prepared.get(key)
            if prepared is None:
                prepared = prepare(self._loaded, picture, prompt, max_image_tokens=self.max_image_tokens)
                self._prepared.put(key, prepared, other_bytes=2 * 3 * picture.width * picture.height)
            return prepared

    def grid(self, image: Picture) -> TokenGrid:
        """Where the image tokens of a picture lie on it."""
        return self.prepared(image, _ANY_PROMPT).grid

    def generate(
        self,
        image: Picture,
        prompt: str,
        *,
        steering: Steering | None = None,
        max_new_tokens: int = 60,
        sampling: Sampling = Sampling(),  # noqa: B008 - frozen
        track: HeadSet | None = None,
    ) -> Run:
        """Let the model answer, steered or not.

        track: heads whose attention to the image is kept at every token; left out, the steered ones. Raises
        UserError for pictures and prompts that cannot be fed, regions that select no cell, and heads that the
        model lacks.
        """
        stream = self.stream(
            image, prompt, steering=steering, max_new_tokens=max_new_tokens, sampling=sampling, track=track
        )
        for _ in stream:
            pass
        return stream.run()

    def stream(
        self,
        image: Picture,
        prompt: str,
        *,
        steering: Steering | None = None,
        max_new_tokens: int = 60,
        sampling: Sampling = Sampling(),  # noqa: B008 - frozen
        track: HeadSet | None = None,
    ) -> Stream:
        """As `generate`, but token by token: iterate over the steps, move the target, stop it.

        Nothing is computed before the first step is asked for; what cannot work is refused here.
        """
        tracked = _default(track, steering)
        writing = self._writing(
            self.prepared(image, prompt), prompt, steering, max_new_tokens, sampling, tracked
        )
        return Stream(self._decoding([writing]), writing)

    def generate_many(
        self,
        images: Sequence[Picture],
        prompts: str | Sequence[str],
        steerings: Steering | Sequence[Steering | None] | None = None,
        *,
        max_new_tokens: int = 60,
        sampling: Sampling = Sampling(),  # noqa: B008 - frozen
        track: HeadSet = NO_HEADS,
        progress: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Run]:
        """Answer many questions in batches: the runs that `generate` would give one by one.

        One prompt or steering stands for all. Prompts of one shape under one head set, mode, strength and
        scope are answered together, whatever their targets; only the arithmetic's last bits can differ from a
        single run. progress: told answers done and answers in all.  cancelled: asked before every token;
        raises Cancelled.
        """
        n = len(images)
        all_prompts = [prompts] * n if isinstance(prompts, str) else list(prompts)
        all_steerings = list(steerings) if isinstance(steerings, Sequence) else [steerings] * n
        if not len(all_prompts) == len(all_steerings) == n:
            raise ValueError(f"{n} images, {len(all_prompts)} prompts and {len(all_steerings)} steerings")
        writings = (
            self._writing(self.prepared(image, prompt), prompt, steering, max_new_tokens, sampling, track)
            for image, prompt, steering in zip(images, all_prompts, all_steerings, strict=True)
        )
        runs: dict[int, Run] = {}
        for batch in batches(writings):
            decoding = self._decoding([writing for _, writing in batch])
            while decoding.active:
                if cancelled is not None and cancelled():
                    raise Cancelled(f"Cancelled after {len(runs)} of {n} answers.")
                decoding.step()
            runs.update((index, writing.run()) for index, writing in batch)
            if progress is not None:
                progress(len(runs), n)
        return [runs[index] for index in range(n)]

    def read(
        self,
        image: Picture,
        prompt: str,
        text: str,
        *,
        steering: Steering | None = None,
        track: HeadSet = NO_HEADS,
    ) -> Reading:
        """Let the model read a given answer: each token's probability, and the tracked heads' attention."""
        prompted = self.prepared(image, prompt)
        self._check(track, steering)
        token_ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        with self._turn:
            return read_along(
                self._loaded, prompted, token_ids, tracked=track, steering=steering, memory=self._memory
            )

    def attention(
        self, image: Picture, prompt: str, heads: HeadSet | None = None, *, steering: Steering | None = None
    ) -> NDArray[np.float32]:
        """Where heads (None: all) look before the first answer token: float32 (H, P), rows in the set's
        order.

        The attention of the last prompt token to the image tokens. `engine.grid(image).picture_map(row)` lays
        a row over the picture.
        """
        heads = self.all_heads() if heads is None else heads
        prompted = self.prepared(image, prompt)
        self._check(heads, steering)
        plan = (
            plan_for([TargetTracker(prompted, steering)], first_biased_row(steering, prompted))
            if steering
            else None
        )
        with self._turn:
            outcome = PromptRunner(self._loaded, [prompted], heads, self._memory).prefill(plan)
        if outcome.rows_BHNP is None:
            return np.zeros((0, prompted.grid.n_tokens), dtype=np.float32)
        return np.asarray(outcome.rows_BHNP[0, :, -1].cpu().numpy(), dtype=np.float32)

    def all_heads(self) -> HeadSet:
        """Every head that this model has."""
        return self.describe_model().all_heads()

    def discover(
        self,
        strips: Iterable[PanelledPicture],
        by: str = "mass",
        *,
        progress: DiscoveryProgress | None = None,
        cancelled: Callable[[], bool] | None = None,
        on_partial: Callable[[HeadRanking], None] | None = None,
        question: str | None = None,
    ) -> HeadRanking:
        """Rank all heads by one score; see `rank`."""
        rankings = self.rank(
            strips, (by,), progress=progress, cancelled=cancelled, on_partial=on_partial, question=question
        )
        return rankings[by]

    def rank(
        self,
        strips: Iterable[PanelledPicture],
        by: Sequence[str] = ("mass",),
        *,
        progress: DiscoveryProgress | None = None,
        cancelled: Callable[[], bool] | None = None,
        on_partial: Callable[[HeadRanking], None] | None = None,
        question: str | None = None,
    ) -> dict[str, HeadRanking]:
        """Rank all heads by several scores, which share their passes; see
        gazeviz.engine.discovery.discovery.discover.

        The model is taken for as long as it lasts: from its callbacks nothing else can be asked of it.
        """
        from gazeviz.engine.discovery.discovery import discover  # an answer needs no ranking's machinery

        with self._turn:
            return discover(
                self._loaded,
                tuple(strips),
                tuple(by),
                progress=progress,
                cancelled=cancelled,
                on_partial=on_partial,
                question=question,
                max_image_tokens=self.max_image_tokens,
                vision=self._memory.vision,
            )

    def head_metrics(
        self,
        pictures: PictureSet | Sequence[PanelledPicture],
        *,
        prompt: str = OPEN_QUESTION,
        effects_of: Sequence[HeadSet] = (),
        progress: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> HeadMetrics:
        """Where every head looks before it answers, over a set; and what answers owe to some head sets.

        See gazeviz.engine.discovery.head_metrics.
        """
        from gazeviz.engine.discovery.head_metrics import metrics_over

        chosen = pictures.pictures if isinstance(pictures, PictureSet) else pictures
        return metrics_over(
            self, chosen, prompt,
            names=[one.name for one in pictures.pictures] if isinstance(pictures, PictureSet) else (),
            measured_on=_named_set(pictures), effects_of=effects_of,
            progress=progress, cancelled=cancelled,
        )  # fmt: skip

    def head_means(
        self,
        pictures: PictureSet | Sequence[PanelledPicture],
        heads: HeadSet,
        *,
        prompt: str = OPEN_QUESTION,
        progress: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> HeadMeans:
        """What heads put out on average over a set, for the mode knock_out."""
        from gazeviz.engine.discovery.head_metrics import means_over

        chosen = pictures.pictures if isinstance(pictures, PictureSet) else pictures
        return means_over(
            self, chosen, prompt, heads, progress=progress, cancelled=cancelled,
            measured_on=_named_set(pictures),
        )  # fmt: skip

    def release_memory(self) -> None:
        """Forget kept image prefixes and give cached GPU memory back; the model stays."""
        with self._turn:
            self._memory.clear()
            self._prepared.clear()
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _decoding(self, writings: Sequence[Answer]) -> Decoding:
        tracked = writings[0].request.tracked
        reader = PromptRunner(self._loaded, [writing.prompt for writing in writings], tracked, self._memory)
        return Decoding(reader, writings, self._turn)

    def _writing(
        self,
        prompted: Prepared,
        prompt: str,
        steering: Steering | None,
        max_new_tokens: int,
        sampling: Sampling,
        tracked: HeadSet,
    ) -> Answer:
        """A checked request, with the request that tells all about it."""
        self._check(tracked, steering)
        self._check_room(prompted, max_new_tokens)
        request = request_for(
            self.describe_model(), prompted, prompt, steering, sampling, max_new_tokens, tracked
        )
        return Answer(self._loaded, prompted, request)

    def _check(self, tracked: HeadSet, steering: Steering | None) -> None:
        """Refuse heads that the model lacks."""
        self.check_heads(tracked, steering.heads if steering else NO_HEADS)

    def check_heads(self, *sets: HeadSet) -> None:
        """Raise UserError for heads that the model lacks."""
        for heads in sets:
            heads.check(self.shape_LH)
            n_heads = {site.index: site.n_heads for site in self._loaded.hook.sites}
            missing = [str(head) for head in heads if head.index >= n_heads.get(head.layer, 0)]
            if missing:
                raise UserError(
                    f"This model has no attention head {', '.join(missing[:5])}.",
                    next_step="Choose heads of the grid; layers of another kind have none.",
                )

    def _check_room(self, prompted: Prepared, max_new_tokens: int) -> None:
        room_tok = self._loaded.context_tok - prompted.n_prompt_tok
        if max_new_tokens > room_tok:
            raise UserError(
                f"Picture and prompt take {prompted.n_prompt_tok} tokens and leave room for {room_tok} more.",
                next_step=f"Ask for at most {room_tok} new tokens, or allow fewer image tokens.",
            )


def load(
    source: str | Path | None = None,
    *,
    device: str = "auto",
    dtype: str = "auto",
    max_image_tokens: int = MAX_IMAGE_TOKENS,
    progress: Progress | None = None,
) -> Engine:
    """Load a model folder (None: the built-in model); arguments and UserErrors are those of
    gazeviz.engine.models.loading.
    """
    loaded = load_model(source, device=device, dtype=dtype, progress=progress)
    return Engine(loaded, max_image_tokens=max_image_tokens)


def _named_set(pictures: PictureSet | Sequence[PanelledPicture]) -> str:
    return str(pictures.source) if isinstance(pictures, PictureSet) else f"{len(pictures)} pictures"


def _default(track: HeadSet | None, steering: Steering | None) -> HeadSet:
    if track is not None:
        return track
    return steering.heads if steering else NO_HEADS
