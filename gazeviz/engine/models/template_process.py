"""The process that renders chat templates: it may hang or run out of memory, and nobody else with it.

Run as a script by `chat_template`, with Jinja and nothing of gazeviz. Reads one JSON document a line from
its standard input, {"template", "values"}, and answers with one a line: {"text"} or {"error"}. It ends when
its input does. Where the system has address-space limits, they hold for it; everywhere the operators that can
make much of little are bounded, so that no single step of a template can take the memory of the machine.
"""

from __future__ import annotations

import json
import re
import sys
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_BYTES = 512 * 2**20
"""Address space of the process, interpreter included, which takes some 40 MiB of it."""
MAX_CHARACTERS = 2**20
"""Of a rendered prompt, and of what one operator may make."""
MAX_BITS = 4096
"""Of a number that `**` may make."""


class TooMuchError(Exception):
    """A template makes more of something than any prompt needs."""


class Generation(Extension):
    """`{% generation %}`, with which templates mark answers for training: its body is rendered as it is."""

    tags = {"generation"}  # noqa: RUF012 - as the base class declares it

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        """Take the statements up to `endgeneration`."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, with a bound on what a single operator may make."""

    intercepted_binops = frozenset(("*", "**", "+", "%"))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Refuse a product, power, sum or format that would be huge; else compute it."""
        if operator == "*":
            _check_size(_length(left) * _times(right))
            _check_size(_length(right) * _times(left))
        elif operator == "+":
            _check_size(_length(left) + _length(right))
        elif operator == "**" and isinstance(left, int) and isinstance(right, int):
            _check_size(left.bit_length() * abs(right) * MAX_CHARACTERS // MAX_BITS)
        elif operator == "%" and isinstance(left, str):
            _check_percent(left)
        return super().call_binop(context, operator, left, right)

    def wrap_str_format(self, value: Any) -> Any:
        """Refuse `str.format` with a huge width, or with one that is an argument; else wrap it."""
        wrapped = super().wrap_str_format(value)
        if wrapped is not None:
            _check_width(value.__self__)
            if re.search(r"\{[^{}]*\{", value.__self__.replace("{{", "")):
                raise TooMuchError
        return wrapped

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as Jinja's
        """Refuse a call with a huge number (a width, a count); else make it."""
        _check_arguments(args, kwargs)
        return super().call(__context, __obj, *args, **kwargs)


def _check_arguments(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    for value in (*args, *kwargs.values()):
        if isinstance(value, int):
            _check_size(abs(value))


def _check_size(n: int) -> None:
    if n > MAX_CHARACTERS:
        raise TooMuchError


def _check_width(text: str) -> None:
    """Refuse a format with a width of more than six digits."""
    if re.search(r"\d{7}", text):
        raise TooMuchError


def _check_percent(text: str) -> None:
    """Refuse a %-format with a huge width, or with one that is an argument."""
    _check_width(text)
    if re.search(r"%[-+ #0.\d]*\*", text):
        raise TooMuchError


def _length(value: Any) -> int:
    return len(value) if isinstance(value, (str, bytes, list, tuple)) else 0


def _times(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(str(message))


def _strftime_now(form: str) -> str:
    return datetime.now().strftime(form)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON without HTML escapes, as chat templates expect it."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def environment() -> BoundedEnvironment:
    """The names and settings that chat templates are written for (transformers' documentation of them)."""
    made = BoundedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"]
    )
    made.filters["tojson"] = _tojson
    made.globals["raise_exception"] = _raise_exception
    made.globals["strftime_now"] = _strftime_now
    for name, filtered in list(made.filters.items()):
        made.filters[name] = _bounded(filtered)
    made.filters["format"] = _format
    return made


def _bounded(filtered: Any) -> Any:
    """A filter that refuses huge numbers as arguments (the width of `center`, the depth of `indent`)."""

    def run(*args: Any, **kwargs: Any) -> Any:
        _check_arguments(args[1:], kwargs)
        return filtered(*args, **kwargs)

    # Jinja passes context or environment first to functions that carry its mark.
    run.__dict__.update(getattr(filtered, "__dict__", {}))
    return run


def _format(text: str, *args: Any, **kwargs: Any) -> str:
    """The filter `format`: the operator % by another name."""
    _check_percent(text)
    _check_arguments(args, kwargs)
    return str(text) % (kwargs or args)


_ENVIRONMENT = environment()


@lru_cache(maxsize=8)
def _compiled(template: str) -> jinja2.Template:
    return _ENVIRONMENT.from_string(template)


def rendered(template: str, values: dict[str, Any]) -> dict[str, str]:
    """Render one template: {"text"}, or {"error"} with what is wrong, in the middle of a sentence."""
    try:
        parts, n = [], 0
        for part in _compiled(template).generate(**values):
            n += len(part)
            _check_size(n)
            parts.append(part)
        return {"text": "".join(parts)}
    except (MemoryError, TooMuchError, OverflowError):
        return {"error": "it makes far more text than a prompt can be"}
    except RecursionError:
        return {"error": "it calls itself without end"}
    except jinja2.TemplateSyntaxError as error:
        return {"error": f"line {error.lineno}: {error.message}"}
    except Exception as error:  # noqa: BLE001 - a template may raise anything
        # Whatever a foreign template raises is its own fault, and the words are all that can be told of it.
        return {"error": str(error) or type(error).__name__}


def _limit_memory() -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))


def main() -> None:
    """Answer until nobody asks any more."""
    _limit_memory()
    print("{}", flush=True)  # ready
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(rendered(asked["template"], asked["values"])), flush=True)


if __name__ == "__main__":
    main()
