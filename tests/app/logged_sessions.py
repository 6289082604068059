"""A small log for tests of the archive and its views: two sessions, five runs, a glance and a picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from gazeviz.domain.answer_text import Junk
from gazeviz.domain.heads import HeadSet
from gazeviz.domain.messages import GenerateSpec, PictureSource
from gazeviz.domain.region import Region
from gazeviz.domain.steering import Steering
from gazeviz.domain.strip import Layout
from gazeviz.store import SessionStore
from tests.logged_runs import as_png, sha256_of
from tests.store.samples import Samples, plain_step, tiny_info

SIZE_PX = (96, 16)
PROMPT = "What is happening in this panel?"


def strip() -> Image.Image:
    """A strip of six panels in six greys."""
    return Image.fromarray(np.repeat(np.repeat(np.linspace(40, 240, 6).astype(np.uint8), 16)[None], 16, 0))


def panel(number: int, colour: str = "#D55E00") -> Region:
    """A panel of the strip."""
    mask_HW = np.zeros(SIZE_PX[::-1], dtype=bool)
    mask_HW[:, 16 * (number - 1) : 16 * number] = True
    return Region(f"Panel {number}", mask_HW, colour)


def add_run(
    store: SessionStore,
    sha256: str,
    text: str,
    steering: Steering | None = None,
    *,
    prompt: str = PROMPT,
    junk: Junk | None = None,
    state: str = "done",
) -> int:
    """Write a run with a token for each word."""
    spec = GenerateSpec(sha256, prompt, steering)
    run_id = store.run_created(spec.side, spec, tiny_info(name="comic-vlm"))
    words = text.split()
    for index, word in enumerate(words):
        store.step_appended(run_id, replace(plain_step(index, 0), text=f" {word}"))
    base = Samples(2).summary()
    request = replace(base.request, steering=steering, target_tokens=(), device="cpu", dtype="float32")
    summary = replace(base, text=text, junk=junk, seconds=0.5, n_tok=len(words), request=request)
    store.run_ended(
        run_id, state, summary if state == "done" else None, "" if state == "done" else "Gone."
    ).result()
    return run_id


def fill(store: SessionStore) -> None:
    """Write the sessions."""
    heads, image = HeadSet.of("L0H0"), strip()
    sha256 = sha256_of(image)
    source = PictureSource(sha256, "strip7.png", data=as_png(image))
    store.open_session("morning")
    store.save_picture(source, SIZE_PX, Layout(1, 6), ())
    add_run(store, sha256, "a purple dog jumps")  # 1
    add_run(store, sha256, "black cat eats in the city", Steering(heads, panel(4)))  # 2
    add_run(store, sha256, "purple turtle digs", Steering(heads, panel(2, "#E69F00"), strength=2.5))  # 3
    store.open_session("evening")
    add_run(store, sha256, "at at at", Steering(heads, panel(4), strength="hard"), junk="looping")  # 4
    add_run(store, "ab" * 32, "conc", prompt="<b>bold</b> =1+1", state="lost")  # 5
    store.run_created("glance", GenerateSpec(sha256, "What?", max_new_tokens=1), tiny_info())  # 6
