"""An engine that says what a script makes of its target, so that an evaluation's own work can be checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image

from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.region import Region
from gazeviz.domain.run import Run, RunRequest, Step
from gazeviz.domain.steering import Steering
from gazeviz.domain.strip import Strip

SIZE_PX = (60, 20)
PANELS = tuple(Region.box(f"Panel {k + 1}", (20 * k, 0, 20 * k + 20, 20), size_px=SIZE_PX) for k in range(3))
CAPTIONS = ("red cat jumps in town", "blue dog sings in space", "green bird reads at night")


def strips(n: int) -> tuple[Strip, ...]:
    """Equal strips of three panels."""
    return tuple(Strip(Image.new("RGB", SIZE_PX), PANELS, CAPTIONS) for _ in range(n))


class ScriptedEngine:
    """Answers with `say(prompt, steering, step)`, a word for each step, up to None or the length asked for.

    calls: how many answers were asked for at once, every time.
    """

    def __init__(self, say: Callable[[str, Steering | None, int], str | None]) -> None:
        self._say = say
        self.calls: list[int] = []

    def generate_many(
        self,
        images: Sequence[Any],
        prompts: str | Sequence[str],
        steerings: Sequence[Steering | None] | None = None,
        *,
        max_new_tokens: int = 60,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Run]:
        """The scripted runs."""
        self.calls.append(len(images))
        prompts = [prompts] * len(images) if isinstance(prompts, str) else prompts
        wishes = list(steerings or [None] * len(images))
        return [self._run(prompt, wish, max_new_tokens) for prompt, wish in zip(prompts, wishes, strict=True)]

    def _run(self, prompt: str, steering: Steering | None, max_new_tokens: int) -> Run:
        words: list[str] = []
        while len(words) < max_new_tokens:
            word = self._say(prompt, steering, len(words))
            if word is None:
                break
            words.append(word)
        steps = tuple(Step(index, index, f" {word}", -0.1) for index, word in enumerate(words))
        request = RunRequest(
            "m", "f", "float32", "cpu", "a", prompt, "0", SIZE_PX, (120, 40), steering=steering
        )
        grid = TokenGrid.plain((2, 6), SIZE_PX, (120, 40))
        return Run(request, " ".join(words), steps, "stop", None, request.tracked, None, grid)


def panel_of(steering: Steering | None, step: int = 0) -> int | None:
    """The number of the panel that a wish points at."""
    target = steering.target_at(step) if steering else None
    return None if target is None else PANELS.index(target)


def obedient(prompt: str, steering: Steering | None, step: int) -> str | None:
    """Says the target's caption; panel 1's where nobody steers (or the panel that the question names)."""
    named = [k for k, word in enumerate(("first", "second", "third")) if word in prompt]
    panel = panel_of(steering)
    words = CAPTIONS[(named[0] if named else 0) if panel is None else panel].split()
    return words[step] if step < len(words) else None
