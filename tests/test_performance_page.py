"""The sections of the page of timings."""

from pathlib import Path

from tests.benchmarks.performance_page import write_section


def test_a_section_replaces_its_own_and_leaves_the_others(tmp_path: Path):
    page = tmp_path / "help" / "performance.md"
    write_section("first", "## First\n1 s", page)
    write_section("second", "## Second\n2 s", page)
    page.write_text(page.read_text() + "\nWritten by hand.\n")
    write_section("first", "## First\n3 s", page)
    text = page.read_text()
    assert "1 s" not in text
    assert text.index("3 s") < text.index("2 s") < text.index("Written by hand.")
    assert text.startswith("# ")
