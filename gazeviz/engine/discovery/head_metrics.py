"""Measuring heads over pictures: where each looks, what each puts out on average, what answers owe to some.

One plain forward for each picture records the last prompt row of all heads; effects read the same answer
again with the heads changed. Knows pictures with regions, not where they come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from gazeviz.domain.experiments.head_metrics import METRICS, HeadEffect, HeadMetrics, Metric, look_metrics
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.region import Region
from gazeviz.domain.steering import HeadMeans, Steering
from gazeviz.engine.attention.hook import AttentionHook, CapturePlan
from gazeviz.engine.generation.finite import check_logits
from gazeviz.engine.generation.shared_prefix import logits_wanted
from gazeviz.errors import Cancelled, UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gazeviz.engine.discovery.discovery import PanelledPicture
    from gazeviz.engine.engine import Engine
    from gazeviz.engine.models.prompt import Prepared

Progress = Callable[[int, int], None]
ANSWER_TOK = 24


def metrics_over(
    engine: Engine,
    pictures: Sequence[PanelledPicture],
    prompt: str,
    *,
    names: Sequence[str] = (),
    measured_on: str = "",
    effects_of: Sequence[HeadSet] = (),
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> HeadMetrics:
    """Measure all heads on every picture, and the effects of some head sets.

    Raises UserError for no picture and for heads that the model lacks, Cancelled when told so.
    """
    _check(engine, pictures, effects_of)
    total = len(pictures) * (1 + len(effects_of))
    looks: list[dict[Metric, NDArray[np.float32]]] = []
    for picture in pictures:
        _stop_if(cancelled)
        looks.append(_looks(engine, engine.prepared(picture.image, prompt)))
        _tell(progress, len(looks), total)
    effects: list[HeadEffect] = []
    for index, heads in enumerate(effects_of, start=1):
        done = len(pictures) * index
        effects += effects_over(
            engine, pictures, prompt, heads, cancelled=cancelled,
            progress=partial(_tell_more, progress, done, total),
        )  # fmt: skip
    values = {metric: np.stack([look[metric] for look in looks]) for metric in METRICS}
    told = tuple(names) or tuple(f"picture {number}" for number in range(1, len(pictures) + 1))
    return HeadMetrics(values, told, prompt, measured_on, engine.loaded.path.name, tuple(effects))


def effects_over(
    engine: Engine,
    pictures: Sequence[PanelledPicture],
    prompt: str,
    heads: HeadSet,
    *,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[HeadEffect]:
    """What answers lose when heads are knocked out, and what steering them alone brings.

    The first is always measured, on the model's own greedy answer of up to `ANSWER_TOK` tokens; the second
    where pictures have captions and two regions or more, at the published strength.
    """
    knocked: tuple[list[float], list[int]] = ([], [])
    steered: tuple[list[float], list[int]] = ([], [])
    for number, picture in enumerate(pictures):
        _stop_if(cancelled)
        text = engine.generate(picture.image, prompt, max_new_tokens=ANSWER_TOK).text
        if text.strip():
            whole = Region.whole(engine.grid(picture.image).picture_size_px)
            _add(knocked, number, _change(engine, picture, prompt, text, Steering(heads, whole, "knock_out")))
        for change in _steered_changes(engine, picture, prompt, heads):
            _add(steered, number, change)
        _tell(progress, number + 1, len(pictures))
    effects = [HeadEffect.of(heads, "knocked_out", *knocked)]
    if steered[0]:
        effects.append(HeadEffect.of(heads, "steered", *steered))
    return effects


def means_over(
    engine: Engine,
    pictures: Sequence[PanelledPicture],
    prompt: str,
    heads: HeadSet,
    *,
    measured_on: str = "",
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> HeadMeans:
    """Each head's output before the output projection: mean over all prompt rows, then over the pictures.

    UserErrors as of `metrics_over`; also where the heads' outputs differ in size.
    """
    _check(engine, pictures, [heads])
    total: dict[int, torch.Tensor] = {}
    for number, picture in enumerate(pictures, start=1):
        _stop_if(cancelled)
        with _forward(engine, engine.prepared(picture.image, prompt)) as hook:
            for layer, means_1HD in hook.take_output_means().items():
                total[layer] = total.get(layer, 0.0) + means_1HD[0].double().cpu()
        _tell(progress, number, len(pictures))
    rows = [total[head.layer][head.index] / len(pictures) for head in heads]
    if len({len(row) for row in rows}) > 1:
        raise UserError(
            "The outputs of these heads differ in size.", next_step="Choose heads of layers that are alike."
        )
    data = torch.stack(rows).numpy().astype("<f4")
    return HeadMeans(HeadSet(heads.heads), data.shape[1], data.tobytes(), measured_on)


def _looks(engine: Engine, prompted: Prepared) -> dict[Metric, NDArray[np.float32]]:
    """Metrics of all heads at the prompt's last row, (L, H) each; NaN where a layer has no such head."""
    shape_LH = engine.shape_LH
    found: dict[Metric, NDArray[np.float32]] = {
        metric: np.full(shape_LH, np.nan, dtype=np.float32) for metric in METRICS
    }
    image_tok = prompted.image_positions_tok.cpu().numpy()
    with _forward(engine, prompted, CapturePlan(None, "last", None)) as hook:
        for layer, rows_BHNK in hook.take_rows().items():
            told = look_metrics(rows_BHNK[0, :, 0].cpu().numpy(), image_tok)
            for metric, values_H in told.items():
                found[metric][layer, : len(values_H)] = values_H
    return found


@contextmanager
def _forward(
    engine: Engine, prompted: Prepared, capture: CapturePlan | None = None
) -> Iterator[AttentionHook]:
    """The hook after one plain forward over a prompt; idle and empty again afterwards."""
    loaded, hook = engine.loaded, engine.loaded.hook
    with engine.turn:
        hook.capture, hook.output_means = capture, capture is None
        try:
            with torch.inference_mode():
                output = loaded.model(**prompted.inputs, use_cache=False, **logits_wanted(loaded.model, 1))
                check_logits(output.logits[:, -1:].float(), loaded.dtype)
            yield hook
        finally:
            hook.capture, hook.output_means = None, False
            hook.take_rows()
            hook.take_output_means()


def _change(engine: Engine, picture: PanelledPicture, prompt: str, text: str, steering: Steering) -> float:
    """By how many nats the text becomes more likely under a steering."""
    plain, changed = (_logprob(engine, picture, prompt, text, how) for how in (None, steering))
    return changed - plain


def _steered_changes(
    engine: Engine, picture: PanelledPicture, prompt: str, heads: HeadSet
) -> Iterator[float]:
    """For each region as the target: by how much its caption gains on the others'; none without captions."""
    captions = picture.captions
    if len(captions) < 2:
        return
    plain_K = np.array([_logprob(engine, picture, prompt, caption, None) for caption in captions])
    for target, region in enumerate(picture.panels):
        steering = Steering(heads, region)
        gain_K = np.array([_logprob(engine, picture, prompt, one, steering) for one in captions]) - plain_K
        yield float(gain_K[target] - np.delete(gain_K, target).mean())


def _logprob(
    engine: Engine, picture: PanelledPicture, prompt: str, text: str, steering: Steering | None
) -> float:
    return float(engine.read(picture.image, prompt, text, steering=steering).logprobs_T.sum())


def _add(measured: tuple[list[float], list[int]], number: int, change: float) -> None:
    measured[0].append(change)
    measured[1].append(number)


def _check(engine: Engine, pictures: Sequence[PanelledPicture], sets: Sequence[HeadSet]) -> None:
    if not pictures:
        raise UserError("There is no picture to measure on.", next_step="Choose a set of pictures.")
    for heads in sets:
        engine.check_heads(heads)


def _stop_if(cancelled: Callable[[], bool] | None) -> None:
    if cancelled is not None and cancelled():
        raise Cancelled("The measurement of the heads was cancelled.")


def _tell_more(progress: Progress | None, before: int, total: int, done: int, _of: int) -> None:
    _tell(progress, before + done, total)


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)
