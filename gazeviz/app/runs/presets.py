"""Asking a preset: its prompt, length and rows become those of the session; and what a model recommends.

Knows which panels the picture has; no widget and no worker.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gazeviz.app.editing.editor import RegionEditor
from gazeviz.app.editing.regions import EditableRegion
from gazeviz.app.session.session_model import SessionModel
from gazeviz.app.session.values import SteeringSettings
from gazeviz.domain.heads import HeadRanking, HeadSet
from gazeviz.domain.messages import ModelInfo, Recommended
from gazeviz.domain.prompts import DIRECTS, PRESETS, ROW_QUESTION, Ordinals, Preset, panel_questions
from gazeviz.domain.steering import Scope
from gazeviz.errors import UserError

_DIRECT_BEGINNING: Final = ROW_QUESTION.partition("{")[0]
"""Told first: reading every panel's place for each letter that is typed would be slow on a large picture."""


def panels_of(model: SessionModel) -> tuple[EditableRegion, ...]:
    """The regions that a layout made, in order; those that were emptied are left out."""
    return tuple(region for region in model.regions.painted() if region.panel_box_px is not None)


def questions_of(model: SessionModel, ordinals: Ordinals = "words") -> tuple[str, ...]:
    """The direct question about each panel; () for a picture without panels."""
    panels = [panel.as_region() for panel in panels_of(model)]
    return panel_questions(panels, ordinals=ordinals) if panels else ()


def ask(model: SessionModel, preset: Preset, panel: int = 0) -> None:
    """Take a preset's prompt, its length, and the rows that are steered under it.

    panel: which one the direct question names, counted from 0.
    UserError for the direct question about a picture without that panel.
    """
    if preset.wording is not None:
        prompt = preset.wording
    else:
        questions = questions_of(model, preset.ordinals)
        if panel >= len(questions):
            raise UserError(
                "The direct question names a panel, and the picture has none.",
                next_step="Choose a layout, or another question.",
            )
        prompt = questions[panel]
    model.prompt = prompt
    length_tok = preset.length_tok(len(panels_of(model)))
    model.generation = replace(model.generation, max_new_tokens=length_tok)
    model.steering = replace(model.steering, scope=scope_of(model, preset))


def scope_of(model: SessionModel, preset: Preset) -> Scope:
    """The preset's rows, or for questions those that the model's folder recommends."""
    advice = model.model_info.recommended if model.model_info else None
    if preset.scope == "all_rows" and advice is not None and advice.scope is not None:
        return advice.scope
    return preset.scope


def target_moves(model: SessionModel) -> bool:
    """Whether what is asked is a narration, or targets are laid out for it to follow."""
    preset = preset_asked(model)
    return bool(model.schedule) or (preset is not None and preset.each_panel)


def recommended_for(model: SessionModel, info: ModelInfo) -> SteeringSettings:
    """Mode, strength and rows that a model recommends for what is asked now."""
    if target_moves(model):
        return recommended_steering(info, "decode_only", moving=True)
    preset = preset_asked(model)
    return recommended_steering(info, preset.scope if preset is not None else model.steering.scope)


def take_recommended(model: SessionModel, editor: RegionEditor) -> None:
    """Choose heads and steering as the model recommends for what is asked; UserError where it ranks none."""
    info, moving = model.model_info, target_moves(model)
    heads = recommended_heads(info, moving=moving)
    editor.choose_heads(heads)
    ranking = recommended_ranking(info, moving=moving) if info is not None else None
    if info is not None and ranking is not None:
        model.ranking_name = ranking.name
        model.steering = recommended_for(model, info)


def is_recommended(model: SessionModel) -> bool:
    """Whether heads and steering are those that the model recommends for what is asked."""
    info = model.model_info
    if info is None or info.default_ranking is None or model.steering != recommended_for(model, info):
        return False
    return set(model.chosen) == set(recommended_heads(info, moving=target_moves(model)))


def preset_asked(model: SessionModel) -> Preset | None:
    """The preset that the prompt is; None for one's own words."""
    prompt = model.prompt.strip()
    found = next((preset for preset in PRESETS.values() if preset.wording == prompt), None)
    if found is None and prompt.startswith(_DIRECT_BEGINNING):
        return next((one for one in DIRECTS if prompt in questions_of(model, one.ordinals)), None)
    return found


# How a model is steered before anybody has chosen otherwise: as its own folder recommends.
#
# Knows no worker and no widget.


FEWEST_CHOSEN: Final = 12
DEFAULT_SHARE: Final = 12
"""Where a ranking comes without a number, one head in so many is chosen, as the published 100 of 1152; small
grids need a larger part."""


def recommended_heads(info: ModelInfo | None, *, moving: bool = False) -> HeadSet:
    """The heads that the model's folder recommends; UserError where it ranks none.

    moving: for narrations whose target moves.
    """
    if info is None:
        raise UserError("No model is loaded.", next_step="Load a model first.")
    ranking = recommended_ranking(info, moving=moving)
    if ranking is None:
        raise UserError(
            f"{info.name} comes without a ranking of its heads.",
            next_step="Measure one on strips, or import a ranking file.",
        )
    n_heads, advice = len(ranking.order()), _advice(info, moving)
    n = advice.n if advice else max(FEWEST_CHOSEN, round(n_heads / DEFAULT_SHARE))
    return ranking.top(min(n, n_heads))


def recommended_ranking(info: ModelInfo, *, moving: bool = False) -> HeadRanking | None:
    """The ranking whose best heads are recommended; None where the model comes without one."""
    advice = _advice(info, moving)
    return info.rankings.get(advice.ranking, info.default_ranking) if advice else info.default_ranking


def recommended_steering(info: ModelInfo, scope: Scope, *, moving: bool = False) -> SteeringSettings:
    """Mode, strength and rows that the model's folder recommends, else the usual ones.

    scope: the rows of what is asked, where the folder names none for it.
    """
    advice = _advice(info, moving)
    if advice is None:
        return SteeringSettings(scope=scope)
    named = advice.scope if not moving or advice is info.recommended_moving else None
    return SteeringSettings(advice.mode, advice.strength, advice.alpha, named or scope)


def _advice(info: ModelInfo, moving: bool) -> Recommended | None:
    return (info.recommended_moving if moving else None) or info.recommended
