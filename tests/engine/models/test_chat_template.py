"""A chat template renders as transformers would, and one that hangs or grows without end is a sentence."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from gazeviz.engine.models.chat_template import TemplateRenderer
from gazeviz.engine.models.template_process import MAX_CHARACTERS, rendered
from gazeviz.errors import UserError
from gazeviz.resources import resource_path

MESSAGES = [
    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is “here” <now>?"}]}
]
VALUES: dict[str, Any] = {
    "messages": MESSAGES,
    "add_generation_prompt": True,
    "bos_token": "<s>",
    "tools": None,
    "documents": None,
}

ORDINARY = (
    resource_path("models", "comic-vlm", "chat_template.jinja").read_text("utf-8"),
    "{%- set ns = namespace(n=0) %}{% macro show(part) %}[{{ part.type }}]{% endmacro %}\n"
    "  {% for m in messages %}{% for part in m['content'] if part.type %}\n"
    "{% set ns.n = ns.n + 1 %}{{ show(part) }}{{ loop.index0 }}\n{% endfor %}{% endfor %} {{ ns.n }}",
    "{{ bos_token }}{{ messages | tojson }}{% for m in messages %}{% break %}{% endfor %}",
    "{% generation %}{{ messages[0].content[1].text | trim | upper }}{% endgeneration %}",
    "{% if tools is none and not documents %}{{ '%s-%02d' % (bos_token, 7) }}{% endif %}"
    "{{ 'ab' * 3 }}{{ 2 ** 5 }}",
    "{{ messages[0].content | selectattr('type', 'equalto', 'text') | map(attribute='text') | join(', ') }}",
    "{{ 'x' | indent(4) }}{{ 'a-b'.split('-')[-1].rjust(6) }}{{ [1] + [2] }}",
)
HUGE = (
    "{{ 'a' * 8000000000 }}",
    "{{ 8000000000 * 'a' }}",
    "{{ [1] * 8000000000 }}",
    "{{ 'x' | center(10**10) }}",
    "{{ 'x'.ljust(10000000000) }}",
    "{{ '{:>9999999999}'.format(1) }}",
    "{{ '{:{}}'.format(1, '9999999999') }}",
    "{{ '%999999999999d' % 1 }}",
    "{{ '%999999999999d' | format(1) }}",
    "{{ '%*d' % (999999999, 1) }}",
    "{{ 9 ** (9 ** 9) }}",
    "{% for i in range(1000000000) %}{% endfor %}",
    "{% for i in range(99999) %}{{ 'a' * 99999 }}{% endfor %}",
)


@pytest.fixture(scope="module")
def renderer() -> Iterator[TemplateRenderer]:
    """A renderer that is impatient enough for a test."""
    made = TemplateRenderer(render_s=0.5)
    yield made
    made.close()


def refusal(renderer: TemplateRenderer, template: str) -> str:
    with pytest.raises(UserError) as caught:
        renderer.render(template, VALUES)
    return caught.value.sentence


@pytest.mark.parametrize("template", ORDINARY)
def test_it_renders_what_transformers_renders(renderer: TemplateRenderer, template: str) -> None:
    others = {name: value for name, value in VALUES.items() if name != "messages"}
    by_transformers: list[str] = render_jinja_template([MESSAGES], chat_template=template, **others)[0]  # type: ignore[assignment]
    assert renderer.render(template, VALUES) == by_transformers[0]


@pytest.mark.parametrize("template", HUGE)
def test_one_step_cannot_make_much_of_little(template: str) -> None:
    """Also where the system cannot limit a process's memory: this is asked in the test's own process."""
    assert rendered(template, VALUES) == {"error": "it makes far more text than a prompt can be"}


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}{% endfor %}"
        "{{ n.x|tojson }}",
    ],
)
def test_a_template_that_hangs_is_killed_and_the_next_one_renders(
    renderer: TemplateRenderer, template: str
) -> None:
    assert "it takes too long or too much memory" in refusal(renderer, template)
    assert renderer.render("{{ 1 + 1 }}", {}) == "2"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a process to its address space")
def test_memory_is_limited_however_it_is_taken(renderer: TemplateRenderer) -> None:
    doubling = "{% set n = namespace(x='a') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}"
    assert "cannot be used" in refusal(renderer, doubling)


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{% for %}", "line 1: Expected an expression"),
        ("{{ raise_exception('no pictures please') }}", "no pictures please"),
        ("{{ nobody.name }}", "'nobody' is undefined"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "calls itself without end"),
        ("{{ cycler.__init__.__globals__ }}", "is unsafe"),
        ("{{ messages.append(1) }}", "is unsafe"),
    ],
)
def test_an_error_in_a_template_is_a_sentence(
    renderer: TemplateRenderer, template: str, complaint: str
) -> None:
    assert complaint in refusal(renderer, template)


def test_a_prompt_may_be_long(renderer: TemplateRenderer) -> None:
    text = "word " * 20_000
    assert renderer.render("{{ text + '!' }}", {"text": text}) == text + "!"
    assert len(text) < MAX_CHARACTERS


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal")
def test_a_process_that_was_killed_is_started_again(renderer: TemplateRenderer) -> None:
    assert renderer.render("a", {}) == "a"
    process = renderer._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert renderer.render("b", {}) == "b"
