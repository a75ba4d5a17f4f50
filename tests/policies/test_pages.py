"""The reference pages are current, and say what is so."""

from conftest import INFRA
from groundplan_policies.catalogue import CATALOGUE
from groundplan_policies.pages import control_page, pages

REFERENCE = INFRA.parent / "docs" / "reference"


def test_the_pages_are_current() -> None:
    made = pages()
    for name, text in made.items():
        assert (REFERENCE / name).read_text() == text, f"{name}: run `make docs`"
    there = {f"controls/{each.name}" for each in (REFERENCE / "controls").iterdir()}
    assert there == {name for name in made if name.startswith("controls/")}


def test_a_page_tells_what_a_reader_needs() -> None:
    text = control_page(CATALOGUE.by_id["rds-multi-az"])
    assert "| baseline | advisory | advisory | advisory | mandatory |" in text
    assert "| NIST SP 800-53 revision 5 | CP-10 |" in text
    assert "`CKV_AWS_157`" in text
    assert "`rds_instance_multi_az`" in text
    assert "It can be put right by the pack" in text
