"""A logged run as something that can be pasted: a line for a shell, or a few lines of Python.

Greedy runs repeated on the same machine give the same tokens. Knows how the command line and the notebook's
face are spelled; runs nothing and opens nothing.
"""

from __future__ import annotations

import re
import shlex
import textwrap
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from gazeviz.domain.messages import LoggedRun
from gazeviz.domain.prompts import NARRATION, SHORT_TURN_TOK
from gazeviz.domain.region import Region
from gazeviz.domain.run import Sampling
from gazeviz.domain.steering import Schedule, Steering

_PLAIN_TEXT: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]*")
_CODE_COLUMNS: Final = 100


_HOLDING_BACK: Final = ("repetition_penalty", "no_repeat_ngram_tok")


@dataclass(frozen=True)
class ReplayRequest:
    """What has to be asked to get a run's tokens again.

    model_path: None for the built-in model.
    max_image_tok: what a picture may cost, None where that is the usual limit.
    """

    model_path: str | None
    device: str
    dtype: str
    prompt: str
    steering: Steering | None
    sampling: Sampling
    max_new_tokens: int
    max_image_tok: int | None = None

    @classmethod
    def of(cls, run: LoggedRun) -> ReplayRequest:
        """Take what really happened where the run ended by itself, else what was asked for.

        A run that did not end by itself is repeated up to its last token.
        """
        spec, summary = run.spec, run.summary
        request = summary.request if summary else None
        ended = summary is not None and summary.finish != "cancelled"
        path = request.model_path if request else run.model.path
        limit = request.max_image_tokens if request else None
        return cls(
            model_path=None if is_builtin(path) else path,
            device=request.device if request else run.model.device,
            dtype=request.dtype if request else run.model.dtype,
            prompt=spec.prompt,
            steering=request.steering if request else spec.steering,
            sampling=spec.sampling,
            max_new_tokens=spec.max_new_tokens if ended or not run.steps else len(run.steps),
            max_image_tok=None if limit == run.model.max_image_tok else limit,
        )


def cli_line(run: LoggedRun, picture: str | None, mask: str | None = None, log: str | None = None) -> str:
    """Return a line for a POSIX shell that gives the run's tokens again.

    picture: what the command line opens as the picture, None where there is no file.
    mask: a picture file of the target's mask, for a target that is no box.
    log: the log's file, None for the usual one.
    What no other command can say (a painted target without a mask file, a schedule, a picture that lies in
    the log alone) is `gazeviz replay`, which reads the log.
    """
    request = ReplayRequest.of(run)
    target = _target_words(request.steering, mask)
    if picture is None or target is None:
        where = [] if log is None else ["--log", log]
        return " ".join(_quoted(word) for word in ("gazeviz", "replay", str(run.id), *where))
    command = "describe" if request.steering is None else "steer"
    words = ["gazeviz", command, _as_operand(picture), *_option("-p", "--prompt", request.prompt)]
    if request.steering is not None:
        words += ["--heads", str(request.steering.heads), *target, *_steering_words(request.steering)]
    words += ["--max-new-tokens", str(request.max_new_tokens), *_sampling_words(request.sampling)]
    words += _model_words(request)
    return " ".join(_quoted(word) for word in words)


def python_snippet(run: LoggedRun, picture: str | None, log: str | None = None) -> str:
    """Return Python that gives the run's tokens again, with every region written out.

    picture: the file to open; where there is none, the log has it.  log: its file, None for the usual one.
    """
    request = ReplayRequest.of(run)
    arguments = [] if request.model_path is None else [repr(request.model_path)]
    arguments += [f"device={request.device!r}", f"dtype={request.dtype!r}"]
    if request.max_image_tok is not None:
        arguments.append(f"max_image_tokens={request.max_image_tok}")
    lines = ["import gazeviz", "", f"engine = gazeviz.load({', '.join(arguments)})"]
    if request.steering is not None:
        lines += _steering_code(request.steering)
    opened = repr(picture)
    if picture is None:
        opened = "picture"
        where = "" if log is None else f", log={log!r}"
        lines.append(f"picture = gazeviz.logged_picture({run.spec.picture_sha256!r}{where})")
    lines += ["run = engine.generate(", f"    {opened},"]
    lines += [f"    {request.prompt!r},", *(["    steering=steering,"] if request.steering else [])]
    lines.append(f"    max_new_tokens={request.max_new_tokens},")
    if request.sampling != Sampling():
        how = request.sampling
        more = [f"{name}={value!r}" for name, value in how.to_json().items() if name in _HOLDING_BACK]
        numbers = ", ".join([repr(how.temperature), repr(how.top_p), repr(how.seed), *more])
        lines.append(f"    sampling=gazeviz.Sampling({numbers}),")
    return "\n".join([*lines, ")", "print(run.text)", "print(run.token_ids)", ""])


def is_box(region: Region) -> bool:
    """Whether a region fills the smallest box around it, so that four numbers say it all."""
    x0, y0, x1, y1 = region.box_px
    return region.area_px == (x1 - x0) * (y1 - y0)


def is_builtin(model_path: str) -> bool:
    """Whether a model's folder is the built-in one, of this or another installation."""
    parts = PurePath(model_path.replace("\\", "/")).parts
    return parts[-2:] == ("models", "comic-vlm") and parts[-3:-2] in (("resources",), ("_resources",))


def turn_tok(model_path: str) -> int:
    """Answer tokens that a target is held for: the paper's 50, and fewer where captions are shorter."""
    return SHORT_TURN_TOK if is_builtin(model_path) else NARRATION.new_tok


def short_path(path: str) -> str:
    """Return what a path says without telling where it is: its last name; of the built-in model as much as
    names it."""
    parts = PurePath(path.replace("\\", "/")).parts
    return "/".join(parts[-3:]) if is_builtin(path) else parts[-1] if parts else ""


def _target_words(steering: Steering | None, mask: str | None) -> list[str] | None:
    """How `gazeviz steer` names the target; None where it cannot."""
    if steering is None:
        return []
    if steering.means is not None:
        return None
    if steering.schedule is not None and not _is_one_target(steering.schedule, steering.target):
        return None
    if is_box(steering.target):
        return ["--box", ",".join(map(str, steering.target.box_px))]
    return None if mask is None else ["--mask", mask]


def _is_one_target(schedule: Schedule, target: Region) -> bool:
    """Whether a schedule never points anywhere but at the target."""
    return all(region is not None and region == target for _, region in schedule.switches)


def _steering_words(steering: Steering) -> list[str]:
    strength = steering.strength if isinstance(steering.strength, str) else _number(steering.strength)
    words = ["--mode", steering.mode]
    if steering.mode == "mass":
        words += ["--alpha", _number(steering.alpha)]
    elif steering.mode != "knock_out":
        words += ["--strength", strength]
    words += ["--scope", steering.scope, "--rule", steering.rule]
    return words + (["--share", _number(steering.share)] if steering.rule == "share" else [])


def _sampling_words(sampling: Sampling) -> list[str]:
    words = []
    if not sampling.greedy:
        numbers = (_number(sampling.temperature), _number(sampling.top_p), str(sampling.seed))
        words = ["--temperature", numbers[0], "--top-p", numbers[1], "--seed", numbers[2]]
    if sampling.repetition_penalty != 1:
        words += ["--repetition-penalty", _number(sampling.repetition_penalty)]
    if sampling.no_repeat_ngram_tok:
        words += ["--no-repeat-ngram", str(sampling.no_repeat_ngram_tok)]
    return words


def _model_words(request: ReplayRequest) -> list[str]:
    words = [] if request.model_path is None else ["--model", request.model_path]
    words += ["--device", request.device, "--dtype", request.dtype]
    return words + (
        [] if request.max_image_tok is None else ["--max-image-tokens", str(request.max_image_tok)]
    )


def _option(short: str, long: str, value: str) -> list[str]:
    """An option and its value; one that looks like an option itself is tied to its name."""
    return [f"{long}={value}"] if value.startswith("-") else [short, value]


def _as_operand(path: str) -> str:
    return f"./{path}" if path.startswith("-") else path


def _quoted(word: str) -> str:
    """Quote a word for a shell; control characters are spelled out, so that the line stays one line."""
    if _PLAIN_TEXT.fullmatch(word):
        return shlex.quote(word)
    spelled = [
        char if _PLAIN_TEXT.fullmatch(char) else "".join(f"\\x{byte:02x}" for byte in _bytes_of(char))
        for char in word.replace("\\", "\\\\").replace("'", "\\'")
    ]
    return f"$'{''.join(spelled)}'"


def _bytes_of(char: str) -> bytes:
    return char.encode("utf-8", "surrogateescape" if "\udc80" <= char <= "\udcff" else "replace")


def _number(value: float) -> str:
    """The shortest text that reads back as the same number."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def _steering_code(steering: Steering) -> list[str]:
    regions = list(
        dict.fromkeys((steering.target, *(steering.schedule.regions if steering.schedule else ())))
    )
    names = {region: f"region_{number}" for number, region in enumerate(regions, start=1)}
    if len(regions) == 1:
        names = {regions[0]: "target"}
    lines = [f"{names[region]} = {_region_code(region)}" for region in regions]
    lines += ["steering = gazeviz.Steering(", f"    gazeviz.HeadSet.of({str(steering.heads)!r}),"]
    lines.append(f"    {names[steering.target]},")
    for key in ("mode", "strength", "scope", "alpha", "rule", "share"):
        lines.append(f"    {key}={getattr(steering, key)!r},")
    if steering.schedule is not None:
        turns = [
            f"({step}, {'None' if region is None else names[region]})"
            for step, region in steering.schedule.switches
        ]
        pairs = ", ".join(turns) + ("," if len(turns) == 1 else "")
        lines.append(f"    schedule=gazeviz.Schedule(({pairs})),")
    if steering.means is not None:
        lines.append(f"    means=gazeviz.HeadMeans.from_json({steering.means.to_json()!r}),")
    return [*lines, ")"]


def _region_code(region: Region) -> str:
    """A box by its corners; everything else by run lengths of its mask, which lose nothing."""
    if is_box(region):
        return f"gazeviz.Region.box({region.name!r}, {region.box_px!r}, {region.size_px!r})"
    runs = region.to_json()["runs"]
    numbers = textwrap.fill(
        ", ".join(map(str, runs)), _CODE_COLUMNS, initial_indent=" " * 8, subsequent_indent=" " * 8
    )
    return (
        "gazeviz.Region.from_json({\n"
        f'    "name": {region.name!r}, "colour": None, "size_px": {list(region.size_px)!r},\n'
        f'    "runs": [\n{numbers},\n    ],\n'
        "})"
    )
