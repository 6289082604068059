"""A run once more: the same request on the same picture, and whether the same tokens come out.

Knows what a run was and what the engine answers; where originals are kept is not its business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gazeviz.domain.reproduction import ReplayRequest
from gazeviz.domain.run import first_difference as first_difference
from gazeviz.engine.models.description import library_versions
from gazeviz.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

    from gazeviz.engine.engine import Engine


@dataclass(frozen=True, eq=False)
class Original:
    """A run that was kept.

    picture: as the engine opens it.  fingerprint: of the weights that wrote it.
    in_log: whether its number is one of the log.
    """

    id: int
    request: ReplayRequest
    picture: Image
    fingerprint: str
    token_ids: tuple[int, ...]
    text: str
    versions: Mapping[str, str] = field(default_factory=dict)
    in_log: bool = False


@dataclass(frozen=True)
class Replay:
    """An original beside what came out now.

    first_difference: the first answer token that differs, None where all are the same.
    changed: libraries whose version is another one now, in words.
    """

    id: int
    token_ids: tuple[int, ...]
    text: str
    text_before: str
    first_difference: int | None
    changed: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether every token is the same."""
        return self.first_difference is None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        return {"run": self.id, "same": self.same, **{k: v for k, v in vars(self).items() if k != "id"}}


def replay(original: Original, engine: Engine) -> Replay:
    """Repeat a run on a loaded model.

    Raises UserError where the model has other weights than the one that wrote it, where there is nothing to
    compare with, and what Engine.generate raises.
    """
    described = engine.describe_model()
    if described.fingerprint != original.fingerprint:
        raise UserError(
            f"{described.name} has other weights than the model that wrote run {original.id}.",
            next_step="Name the folder of the old ones with --model.",
        )
    if not original.token_ids:
        raise UserError(
            f"Run {original.id} has no tokens to compare with.", next_step="Choose a run that has a text."
        )
    request, usual_tok = original.request, engine.max_image_tokens
    engine.max_image_tokens = request.max_image_tok or usual_tok
    try:
        run = engine.generate(
            original.picture, request.prompt, steering=request.steering,
            max_new_tokens=request.max_new_tokens, sampling=request.sampling,
        )  # fmt: skip
    finally:
        engine.max_image_tokens = usual_tok
    differs = first_difference(original.token_ids, run.token_ids)
    return Replay(original.id, run.token_ids, run.text, original.text, differs, _changed(original.versions))


def _changed(versions: Mapping[str, str]) -> tuple[str, ...]:
    now = library_versions()
    return tuple(
        f"{name} {before} is {now[name]} now"
        for name, before in versions.items()
        if name in now and now[name] != before
    )
