"""Pages: whole, self-contained and escaped; nothing that anybody wrote is ever read as marks."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from gazeviz.domain.evaluation import Evaluation, JudgedAnswer
from gazeviz.render.report.figures import NamedFigure
from gazeviz.render.report.pages import document_html, fenced, html_page, markdown_page, markdown_text
from gazeviz.render.report.report import Report, Sources, make_report
from gazeviz.render.style import one_line, visible
from tests.render.made_runs import HOSTILE, hostile_report, made_report, made_run

VOID = {"meta", "img", "source", "br", "link", "input", "hr"}


class Reader(HTMLParser):
    """A page as a browser reads it: tags, attributes and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.style = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        while self._open and self._open[-1] in ("p", "li", "tr", "td", "th") and self._open[-1] != tag:
            self._open.pop()
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            self.style += data
        else:
            self.text += data


@pytest.fixture(scope="module")
def page() -> str:
    return html_page(made_report())


@pytest.fixture(scope="module")
def hostile_page() -> str:
    return html_page(hostile_report())


def test_a_page_holds_everything_that_is_asked_of_a_report(page: str) -> None:
    text = Reader(page).text
    for said in (
        "A session", "What is happening?", "Run 1, baseline", "Run 2, steered to Panel 2", "note 2",
        "judged Panel 2 ✓ (captions)",
        "comic (qwen3_vl, 3.9 M parameters, 2 layers x 4 heads)", "cpu in float32", "torch 2.13.0",
        "mass on target .2 → .7", "other image tokens", "top 2 of mass", "greedy", "gazeviz steer",
        "import gazeviz", "arXiv 2606.14703", "@software{gazeviz", "Panel 3", "120 x 40 px",
    ):  # fmt: skip
        assert said in text, said


def test_a_page_loads_nothing_and_runs_nothing(page: str) -> None:
    read = Reader(page)
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & set(read.tags)
    addresses = [value for _, name, value in read.attributes if name in ("src", "srcset", "href")]
    assert addresses
    assert all(value.startswith(("data:image/", "#")) for value in addresses)
    assert "url(" not in read.style
    assert "@import" not in read.style
    assert not [name for _, name, _ in read.attributes if name == "style" or name.startswith("on")]


def test_the_policy_allows_this_style_sheet_and_no_other(page: str) -> None:
    read = Reader(page)
    (policy,) = [value for tag, _, value in read.attributes if tag == "meta" and "default-src" in value]
    digest = base64.b64encode(hashlib.sha256(read.style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert page.index("Content-Security-Policy") < page.index("<style>")


def test_every_figure_is_there_in_both_themes_with_words(page: str) -> None:
    read = Reader(page)
    light = [value for tag, name, value in read.attributes if (tag, name) == ("img", "src")]
    dark = [value for tag, name, value in read.attributes if (tag, name) == ("source", "srcset")]
    words = [value for tag, name, value in read.attributes if (tag, name) == ("img", "alt")]
    assert len(light) == len(dark) == len(words) == 7  # picture, grid, matrix; twice trajectory and maps
    assert all(one != other for one, other in zip(light, dark, strict=True))
    assert all(words)
    media = {value for tag, name, value in read.attributes if (tag, name) == ("source", "media")}
    assert media == {"screen and (prefers-color-scheme: dark)"}
    assert "@media print" in read.style


def test_tokens_are_tinted_and_numbered_by_the_region_looked_at(page: str) -> None:
    chips = re.findall(r'<span class="chip on (k\w+)">(?:<b class="badge \w+">(\d)</b>)?([^<]*)</span>', page)
    assert chips[:4] == [
        ("k0072B2", "1", "a"),
        ("kE69F00", "2", " cat"),
        ("kE69F00", "", " eats"),
        ("k009E73", "3", "."),
    ]
    assert ".k0072B2 { --k: #0072B2; --on: #ffffff; }" in Reader(page).style


def test_the_end_of_an_answer_leaves_no_empty_chip() -> None:
    page = html_page(made_report(made_run(texts=("a", " cat", ".", ""), looks=(0, 1, 1, 2))))
    chips = re.findall(r'<span class="chip[^"]*">(?:<b[^>]*>\d</b>)?([^<]*)</span>', page)
    assert chips == ["a", " cat", "."]


def test_hostile_text_is_shown_as_text(hostile_page: str) -> None:
    read = Reader(hostile_page)
    assert "script" not in read.tags
    assert not [name for _, name, _ in read.attributes if name.startswith("on")]
    assert read.text.count("<script>alert('x')</script>") > 10
    assert visible(HOSTILE) in read.text
    assert "\x1b" not in hostile_page
    assert "\u202e" not in hostile_page
    assert "😀" in read.text


def test_a_hostile_colour_never_reaches_the_style(hostile_page: str) -> None:
    style = Reader(hostile_page).style
    assert "red" not in style.split("@page")[1]
    assert sorted(set(re.findall(r"--k: (#\w+)", style))) == ["#0072B2", "#009E73", "#E69F00"]


def test_markdown_holds_the_same_with_images_beside_it() -> None:
    page = markdown_page(made_report())
    assert set(re.findall(r"\]\(images/([^)]*)\)", page.text)) == set(page.images)
    assert all(data.startswith(b"\x89PNG") for data in page.images.values())
    read = Reader(MarkdownIt("gfm-like", {"linkify": False}).render(page.text))
    for said in ("Run 2, steered to Panel 2", "mass on target", "gazeviz steer", "2 Panel 2", "gained"):
        assert said in read.text, said
    assert read.tags.count("table") == 2 + 1 + 2 + 1 + 1  # streaks, asked, settings, ledger, summary


def test_hostile_text_is_text_in_markdown_too() -> None:
    page = markdown_page(hostile_report())
    read = Reader(MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(page.text))
    assert not {"script", "a"} & set(read.tags)
    shown = one_line(HOSTILE)
    assert shown in " ".join(read.text.split())
    assert read.text.count("<script>alert('x')</script>") > 10
    assert "\x1b" not in page.text


@pytest.mark.parametrize(
    "text", ["a|b", "*a*", "_a_", "`a`", "[a](b)", "<b>", "a&lt;b", "\\*", "~~a~~", "#1", "$x$"]
)
def test_markdown_reads_back_what_was_written(text: str) -> None:
    read = Reader(
        MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(f"x {markdown_text(text)} y")
    )
    assert read.text.strip() == f"x {text} y"
    assert read.tags == ["p"]


def test_a_fence_is_longer_than_any_in_the_text() -> None:
    text = "```\n<b>\n`````"
    read = Reader(MarkdownIt().render(fenced(text)))
    assert read.text.strip("\n") == text
    assert read.tags == ["pre", "code"]


def test_chosen_tokens_are_those_whose_maps_are_shown() -> None:
    assert "at tokens 1 “cat”, 3 “.”" in Reader(html_page(made_report(), tokens=(1, 3))).text


def test_a_document_names_the_figures_that_were_kept() -> None:
    kept: list[str] = []

    def keep(figure: NamedFigure) -> dict[str, object]:
        kept.append(figure.name)
        return {"file": f"{figure.name}.png", "width": 10, "height": 5, "caption": figure.caption}

    read = Reader(document_html(hostile_report(), keep))
    assert [value for tag, name, value in read.attributes if (tag, name) == ("img", "src")] == [
        f"{name}.png" for name in _in_document_order(kept)
    ]
    assert "script" not in read.tags
    assert visible(HOSTILE) in read.text


def _in_document_order(kept: list[str]) -> list[str]:
    pictures = [name for name in kept if name.endswith("picture")]
    heads = [name for name in kept if "heads" in name]
    return [*pictures, *heads, *(name for name in kept if name.startswith("run"))]


def test_a_report_without_anything_kept_still_tells_the_runs() -> None:
    bare: Report = make_report([made_run(5, regions=(), ended=False)], Sources(), "Bare", 1.8e9)
    text = Reader(html_page(bare)).text
    assert "The worker was ended by SIGKILL." in text
    assert "gazeviz replay 5" in text
    assert "a cat eats." in text


def test_evaluations_are_told_where_there_are_any() -> None:
    answers = (JudgedAnswer(0, 0, 6, "t", "b", 0, None, None, unchanged=False),)
    evaluation = Evaluation("static", {"name": HOSTILE}, "exact", answers)
    report = make_report([made_run(5, regions=())], Sources(), "Judged", 1.8e9, [evaluation])
    for text in (Reader(html_page(report)).text, markdown_page(report).text):
        assert "Evaluations" in text
        assert "1 (95 % interval 1 to 1)" in text
    assert visible(HOSTILE) in Reader(html_page(report)).text
