"""From a picture and a question to what a model is fed, with the place of every image token.

Renders the chat template, runs the checkpoint's own processor, finds the image tokens in the prompt and lays
the token grid over the picture. Knows nothing of decoding, heads or steering beyond the group codes of key
positions.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from gazeviz.domain.grid import TokenGrid
from gazeviz.domain.steering import FIRST, OTHER_IMAGE, PROMPT_TEXT, TARGET
from gazeviz.engine.models.chat_template import renderer
from gazeviz.engine.models.layouts import CellLayout, Fed, UnknownLayoutError
from gazeviz.engine.models.loading import LoadedModel
from gazeviz.errors import UserError
from gazeviz.imaging import Picture, open_picture

MAX_IMAGE_TOKENS = 1280
_NOT_FED = frozenset({"labels"})
"""What some processors return for training only."""


@dataclass(frozen=True)
class RopePositions:
    """Rotary positions of a sequence: those of the prompt, and how they go on after it.

    Families with M-RoPE (Qwen, GLM) give image tokens a row and a column, so that a text position after the
    picture is not the token's index; `delta_tok` is what has to be added to it, 0 in most plain families.

    Attributes:
        prompt: int64, (1, S), or (3, 1, S) for M-RoPE (time, row, column).
        delta_tok: position of a token behind the prompt, less its index.
    """

    prompt: Tensor
    delta_tok: int

    @property
    def n_tok(self) -> int:
        """Length of the prompt."""
        return int(self.prompt.shape[-1])

    def between(self, start_tok: int, stop_tok: int) -> Tensor:
        """Positions of the tokens start_tok .. stop_tok - 1, as position_ids: (1, n) or (3, 1, n).

        Inside the prompt as the model itself numbers them (so for the suffix of a cached prefix); behind it
        `index + delta` (https://arxiv.org/abs/2409.12191, section 2.1).
        """
        inside = self.prompt[..., start_tok : min(stop_tok, self.n_tok)]
        behind = torch.arange(
            max(start_tok, self.n_tok), max(stop_tok, self.n_tok), device=self.prompt.device
        )
        behind = (behind + self.delta_tok).expand(*self.prompt.shape[:-1], -1)
        return torch.cat([inside, behind], dim=-1)


@dataclass(frozen=True)
class Prepared:
    """One picture and one prompt, ready to be fed.

    Attributes:
        inputs: tensors as the model takes them, on its device: input_ids (1, S), pixel_values ...
        image_positions_tok: int64 (P,), where the image tokens stand in the sequence, in ascending order.
        positions: rotary positions of the prompt and behind it.
        grid: where the P image tokens lie on the picture.
        picture: the opened picture, RGB, in its own size.
        fed_image: what the vision tower receives, read back from the model's inputs.
        rendered: the prompt in the model's chat form, its picture one placeholder; None where not known.
    """

    inputs: dict[str, Tensor]
    image_positions_tok: Tensor
    positions: RopePositions
    grid: TokenGrid
    picture: Image.Image
    fed_image: Image.Image
    rendered: str | None = None

    @property
    def input_ids(self) -> Tensor:
        """Token ids, int64 (1, S)."""
        return self.inputs["input_ids"]

    @property
    def n_prompt_tok(self) -> int:
        """Length S of the prompt, image tokens included."""
        return int(self.input_ids.shape[1])

    def codes_K(self, target_tok: Iterable[int] | NDArray[np.int64] | None = None) -> Tensor:
        """Group code (domain.steering) of every prompt position: int8 (S,), on the inputs' device.

        `target_tok` are indices among the image tokens, as `TokenGrid.tokens` gives them. Position 0 is the
        attention sink FIRST, unless it is an image token itself.
        """
        codes = torch.full((self.n_prompt_tok,), PROMPT_TEXT, dtype=torch.int8)
        codes[0] = FIRST
        image_tok = self.image_positions_tok.cpu()
        codes[image_tok] = OTHER_IMAGE
        if target_tok is not None:
            chosen = torch.as_tensor(np.fromiter(target_tok, dtype=np.int64))
            codes[image_tok[chosen]] = TARGET
        return codes.to(self.input_ids.device)

    def prefix_inputs(self, stop_tok: int) -> dict[str, Tensor]:
        """Inputs for the tokens before `stop_tok`, the whole picture among them (stop_tok lies behind it)."""
        one_per_token = self.input_ids.shape
        cut = {
            name: value[:, :stop_tok]
            if value.shape == one_per_token and not value.is_floating_point()
            else value
            for name, value in self.inputs.items()
        }
        return {**cut, "position_ids": self.positions.between(0, stop_tok)}

    def text_inputs(self, start_tok: int) -> dict[str, Tensor]:
        """Inputs for the tokens from `start_tok` on, where everything before lies in the cache: no pixels."""
        return {
            "input_ids": self.input_ids[:, start_tok:],
            "attention_mask": torch.ones_like(self.input_ids),
            "position_ids": self.positions.between(start_tok, self.n_prompt_tok),
        }


def prepare(
    loaded: LoadedModel, image: Picture, prompt: str, *, max_image_tokens: int = MAX_IMAGE_TOKENS
) -> Prepared:
    """Prepare one picture and one prompt for `loaded`.

    Raises:
        UserError: a picture that cannot be opened or fed, an empty prompt, one that contains the model's own
            control tokens, one that is longer than the model's context, `max_image_tokens` below 1.
    """
    if max_image_tokens < 1:
        raise UserError(
            f"{max_image_tokens} image tokens are too few.", next_step="Allow at least one image token."
        )
    picture = open_picture(image)
    text = render_prompt(loaded, prompt)
    try:
        return _prepared(loaded, picture, text, max_image_tokens)
    except UserError:
        raise
    except Exception as error:
        # What a stranger's settings lead to in a processor or a layout is not to be foreseen one by one.
        logging.getLogger(__name__).debug("a picture could not be prepared", exc_info=True)
        said = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise UserError(
            f"The picture cannot be prepared as the settings in {loaded.path} say: {said.rstrip('.')}.",
            next_step="Download the model's preprocessor, processor and tokenizer settings again.",
        ) from error


def prepare_again(loaded: LoadedModel, first: Prepared, prompt: str) -> Prepared | None:
    """Prepare another prompt about the picture of `first`, which is the same up to its last image token.

    The picture is neither processed nor hashed again: only what follows it is tokenized. None where that does
    not give back the end of `first` itself, so that the prompt has to be prepared whole. UserErrors of
    `prepare` for the prompt.
    """
    if first.rendered is None:
        return None
    text, mark = render_prompt(loaded, prompt), str(loaded.processor.image_token)
    (start, end), (own_start, own_end) = text.split(mark), first.rendered.split(mark)
    stop = int(first.image_positions_tok.max()) + 1
    if start != own_start or not torch.equal(_ids_of(loaded, own_end, first), first.input_ids[0, stop:]):
        return None
    tail = _ids_of(loaded, end, first)
    inputs = {name: _with_tail(value, first, stop, tail) for name, value in first.inputs.items()}
    positions = _renumbered(first.positions, stop, stop + len(tail))
    if positions is None or any(value is None for value in inputs.values()):
        return None
    inputs["input_ids"] = torch.cat([first.input_ids[:, :stop], tail[None]], dim=1)
    _check_length(loaded, stop + len(tail))
    known = {name: value for name, value in inputs.items() if value is not None}
    return replace(first, inputs=known, positions=positions, rendered=text)


def _ids_of(loaded: LoadedModel, text: str, first: Prepared) -> Tensor:
    """Token ids of what the template writes behind the picture."""
    ids = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
    return torch.tensor(ids, dtype=first.input_ids.dtype, device=first.input_ids.device)


def _with_tail(value: Tensor, first: Prepared, stop: int, tail: Tensor) -> Tensor | None:
    """An input for another tail, the same for every token behind the picture; None where they differ."""
    if value.shape != first.input_ids.shape or value is first.input_ids:
        return value
    behind = value[:, stop:]
    if not bool((behind == behind[:, :1]).all()):
        return None
    return torch.cat([value[:, :stop], behind[:, :1].expand(-1, len(tail))], dim=1)


def _renumbered(positions: RopePositions, stop: int, n_tok: int) -> RopePositions | None:
    """Positions of a prompt with another tail; None where they do not simply go on behind the picture."""
    index = torch.arange(stop, max(n_tok, positions.n_tok), device=positions.prompt.device)
    behind = (index + positions.delta_tok).expand(*positions.prompt.shape[:-1], -1)
    if not torch.equal(behind[..., : positions.n_tok - stop], positions.prompt[..., stop:]):
        return None
    numbered = torch.cat([positions.prompt[..., :stop], behind[..., : n_tok - stop]], dim=-1)
    return RopePositions(numbered, positions.delta_tok)


def _prepared(loaded: LoadedModel, picture: Image.Image, text: str, max_image_tokens: int) -> Prepared:
    """Run the processor on a picture and a rendered prompt, and find the image tokens' places."""
    fed = loaded.family.layout.fit(picture, loaded.processor, max_image_tokens)
    inputs = {
        name: _placed(tensor, loaded)
        for name, tensor in _run_processor(loaded, fed, text, max_image_tokens).items()
    }
    ids = inputs["input_ids"]
    _check_length(loaded, int(ids.shape[1]))
    image_positions_tok = (ids[0] == loaded.image_token_id).nonzero().flatten()
    grid, fed_image = _grid(loaded, picture, fed, int(image_positions_tok.numel()), max_image_tokens)
    return Prepared(
        inputs, image_positions_tok, rope_positions(loaded, inputs), grid, picture, fed_image, text
    )


def render_prompt(loaded: LoadedModel, prompt: str) -> str:
    """Return the prompt in the model's chat form, with one placeholder for the picture.

    Raises:
        UserError: the prompt is empty or holds control tokens of the model, or the model has no chat
            template.
    """
    if not prompt.strip():
        raise UserError("The prompt is empty.", next_step="Write a question about the picture.")
    control = next((name for name in loaded.special_tokens.values() if name in prompt), None)
    if control is not None:
        raise UserError(
            f"The prompt contains {control!r}, a control token of this model.",
            next_step="Take it out of the prompt.",
        )
    rendered = _in_chat_form(loaded, prompt)
    if rendered.count(str(loaded.processor.image_token)) != 1:
        raise UserError(
            "The model's chat template has no place for a picture.",
            next_step="Choose the vision-language version of the model, with its own chat_template.jinja.",
        )
    return rendered


def _in_chat_form(loaded: LoadedModel, prompt: str) -> str:
    """Render the checkpoint's chat template, or the family's plain form where it was trained without one."""
    template = loaded.processor.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    if template is None and loaded.family.plain_prompt is not None:
        return loaded.family.plain_prompt.format(image=loaded.processor.image_token, prompt=prompt)
    if template is None:
        raise UserError(
            "This model has no chat template, so a prompt cannot be put the way that it was trained on.",
            next_step="Choose the instruction-tuned version of the model, or add its chat_template.jinja.",
        )
    content = [{"type": "image"}, {"type": "text", "text": prompt}]
    return renderer.render(
        str(template),
        {
            **{name: str(token) for name, token in loaded.tokenizer.special_tokens_map.items()},
            "messages": [{"role": "user", "content": content}],
            "add_generation_prompt": True,
            "tools": None,
            "documents": None,
            "enable_thinking": False,  # a model that can think aloud answers at once
        },
    )


def rope_positions(loaded: LoadedModel, inputs: dict[str, Tensor]) -> RopePositions:
    """Return the rotary positions of prepared inputs; a model that numbers images numbers them itself."""
    ids = inputs["input_ids"]
    numbering = next((m for m in loaded.model.modules() if hasattr(m, "get_rope_index")), None)
    if numbering is None:
        first = loaded.family.first_position
        return RopePositions(torch.arange(ids.shape[1], device=ids.device)[None] + first, first)
    known = {
        key: inputs[key] for key in ("image_grid_thw", "mm_token_type_ids", "attention_mask") if key in inputs
    }
    positions, deltas = numbering.get_rope_index(ids, **known)
    return RopePositions(positions, int(deltas.flatten()[0]))


def _run_processor(loaded: LoadedModel, fed: Fed, text: str, max_tok: int) -> dict[str, Tensor]:
    """Call the checkpoint's processor; its complaints about a picture become a sentence."""
    options = loaded.family.layout.options(loaded.processor, fed.image.size, max_tok)
    bos = loaded.tokenizer.bos_token
    special = {"add_special_tokens": False} if bos and text.startswith(bos) else {}
    try:
        with warnings.catch_warnings():
            # Some processors hand tensors to numpy in a way that numpy 2 deprecates; nobody here can mend it.
            warnings.filterwarnings("ignore", category=DeprecationWarning, module="transformers")
            outputs = loaded.processor(
                images=[fed.image],
                text=[text],
                images_kwargs=options,
                text_kwargs=special,
                return_tensors="pt",
            )
    except ValueError as error:
        if "aspect ratio" not in str(error):
            raise
        raise UserError(
            f"A picture of {fed.image.width} x {fed.image.height} pixels is too narrow for this model.",
            next_step="Crop it, or arrange its panels in several rows.",
        ) from error
    return {name: torch.as_tensor(value) for name, value in outputs.items() if name not in _NOT_FED}


def _grid(
    loaded: LoadedModel, picture: Image.Image, fed: Fed, n_tok: int, max_tok: int
) -> tuple[TokenGrid, Image.Image]:
    """Lay the token grid over the picture, and read back what the model is fed.

    The layout must account for every image token of the prompt: a layout is never guessed.
    """
    layout, tap = loaded.family.layout, loaded.processor.image_processor
    outputs = tap.last
    asked = picture.size, fed.box_px, n_tok, max_tok
    if asked in tap.notes:
        known: tuple[TokenGrid, Image.Image] = tap.notes[asked]
        return known
    try:
        cells = layout.cells(outputs, loaded.processor, fed, n_tok)
        if len(cells.boxes_P4) != n_tok:
            raise UnknownLayoutError(f"{n_tok} tokens where {len(cells.boxes_P4)} were expected")
    except UnknownLayoutError as error:
        raise UserError(
            f"Where the image tokens of this {loaded.family.name} model lie is not known ({error}).",
            next_step="Its processor differs from the known ones; please report the model's name.",
        ) from error
    fed_image = Image.fromarray(layout.fed_pixels(outputs, loaded.processor, fed))
    note = _note(picture, cells, n_tok, max_tok)
    grid = TokenGrid(cells.boxes_P4, picture.size, cells.fed_size_px, cells.shape_RC, note)
    tap.notes[asked] = grid, fed_image
    return grid, fed_image


def _placed(tensor: Tensor, loaded: LoadedModel) -> Tensor:
    """Move a tensor to the model's device; pixels also to its number type."""
    return tensor.to(loaded.device, loaded.dtype) if tensor.is_floating_point() else tensor.to(loaded.device)


def _check_length(loaded: LoadedModel, n_tok: int) -> None:
    if n_tok >= loaded.context_tok:
        raise UserError(
            f"Picture and prompt make {n_tok} tokens, the model's context holds {loaded.context_tok}.",
            next_step="Shorten the prompt, or allow fewer image tokens.",
        )


def _note(picture: Image.Image, cells: CellLayout, n_tok: int, max_tok: int) -> str:
    """Tell how the picture was changed on its way to the model."""
    sentences = []
    if picture.size != cells.fed_size_px:
        width, height = cells.fed_size_px
        sentences.append(
            f"The picture of {picture.width} x {picture.height} pixels is fed as {width} x {height}."
        )
    if cells.note:
        sentences.append(cells.note)
    if n_tok > max_tok:
        sentences.append(f"It makes {n_tok} image tokens; this model cannot take it in {max_tok}.")
    return " ".join(sentences)
