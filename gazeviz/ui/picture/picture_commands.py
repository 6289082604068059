"""Commands about the picture: opening one, recent ones, samples, layouts of panels, image tokens."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gazeviz.app.runs.picture_opener import Sample, samples, token_cost
from gazeviz.app.runs.run_controller import RunController
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.settings import AppSettings
from gazeviz.domain.strip import Layout
from gazeviz.ui.widgets.command import Command
from gazeviz.ui.widgets.reasons import no_cells, no_picture

if TYPE_CHECKING:
    from gazeviz.ui.picture.open_menu import PictureMenu

LAYOUTS: Final = tuple(
    Layout(rows, cols)
    for rows, cols in ((1, 2), (1, 3), (1, 4), (1, 5), (1, 6), (1, 8), (2, 2), (2, 3), (3, 2), (3, 3))
)


def opening_commands(pictures: PictureMenu) -> list[Command]:
    """Opening a file, a folder of panels, or the clipboard."""
    return [
        Command("file.open_picture", "Open a picture ...", "Ctrl+O", "Open another picture.",
                pictures.choose_picture),
        Command("file.open_folder", "Open a folder of panels ...", "Ctrl+Shift+O",
                "Put the pictures of a folder (p1, p2 ...) side by side as a strip, one panel each.",
                pictures.choose_folder),
        Command("file.paste_picture", "Paste a picture", "Ctrl+V", "Open the picture on the clipboard.",
                pictures.paste),
    ]  # fmt: skip


def detect_command(model: SessionModel, pictures: PictureMenu) -> Command:
    """Finding panels by their gutters."""

    def on() -> bool:
        layout = model.picture.layout if model.picture is not None else None
        return layout is not None and bool(layout.boxes_px)

    return Command("file.detect_panels", "Detect panels", "",
                   "Find panels by the plain lines that run right across the picture.",
                   pictures.detect_panels, no_picture(model), on, "Detect by the gutters")  # fmt: skip


def recent_commands(pictures: PictureMenu, settings: AppSettings) -> list[Command]:
    """Pictures that were opened before."""

    def gone(path: str) -> str | None:
        return None if Path(path).exists() else f"The file is no longer there: {path}. Open another one."

    return [
        Command(f"recent.{place}", f"Recent picture: {Path(path).name}", "", path,
                partial(pictures.open_path, path), partial(gone, path), label=Path(path).name)
        for place, path in enumerate(settings.recent_pictures, start=1)
    ]  # fmt: skip


def clear_recent_command(settings: AppSettings) -> Command:
    """Forgetting which files were opened."""
    return Command("file.clear_recent", "Clear recent files", "",
                   "Clear the lists of recent pictures and models; the files are kept.",
                   settings.forget_recent)  # fmt: skip


def sample_commands(pictures: PictureMenu) -> list[Command]:
    """Pictures that ship with gazeviz."""

    def label(sample: Sample) -> str:
        layout = f" · {layout_text(sample.layout)}" if sample.layout is not None else ""
        return sample_text(sample) + layout

    return [
        Command(f"samples.{sample.name}", f"Sample: {sample_text(sample)}", "",
                "\n".join(sample.captions) or "Open a picture that ships with gazeviz.",
                partial(pictures.open_sample, sample), label=label(sample))
        for sample in samples()
    ]  # fmt: skip


def no_layout_command(model: SessionModel, controller: RunController) -> Command:
    """Removing the panels."""
    return Command("panels.none", "No panels", "", "Remove the regions that a layout made.",
                   partial(controller.apply_layout, None), no_picture(model),
                   partial(_has, model, None))  # fmt: skip


def layout_commands(model: SessionModel, controller: RunController) -> list[Command]:
    """Layouts of panels."""
    return [
        Command(f"panels.{layout}", f"Panels {layout_text(layout)}", "",
                "Make each panel a region; this can be undone.", partial(controller.apply_layout, layout),
                no_picture(model), partial(_has, model, layout), label=layout_text(layout))
        for layout in LAYOUTS
    ]  # fmt: skip


def token_commands(model: SessionModel, controller: RunController) -> list[Command]:
    """How many image tokens a picture may take."""
    usual_tok = model.model_info.max_image_tok if model.model_info is not None else 0
    cost = token_cost(model)
    choices: list[tuple[str, int | None]] = [(f"At most {usual_tok:,}, as usual", None)]
    if model.max_image_tok is not None:
        choices.append((f"At most {model.max_image_tok:,}", model.max_image_tok))
    if cost is not None and not cost.forced:
        choices.append((f"About {cost.full_tok:,}: the picture as it is", cost.full_tok))
    return [
        Command(f"tokens_limit.{max_tok or 'usual'}", f"Image tokens: {text[0].lower()}{text[1:]}", "",
                "More image tokens show smaller details and make runs slower; active runs are stopped.",
                partial(controller.allow_image_tokens, max_tok), no_cells(model),
                partial(_allows, model, max_tok), label=text)
        for text, max_tok in choices
    ]  # fmt: skip


def sample_text(sample: Sample) -> str:
    """What a sample is called: "strip-1-1x6" reads as "Strip 1"."""
    words = [word for word in sample.name.split("-") if sample.layout is None or word != str(sample.layout)]
    return " ".join(words).capitalize()


def layout_text(layout: Layout) -> str:
    """A layout as people write it: 1 × 6."""
    return f"{layout.rows} × {layout.cols}"


def _has(model: SessionModel, layout: Layout | None) -> bool:
    return model.picture is not None and model.picture.layout == layout


def _allows(model: SessionModel, max_tok: int | None) -> bool:
    return model.max_image_tok == max_tok
