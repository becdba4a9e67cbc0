import pytest

from hepatoclr.base import cases
from hepatoclr.base.errors import BadCase, UserError


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        (["", ""], "2 of 2 cases used"),
        (["", "ingest"], "1 of 2 cases used; 1 excluded: 1 ingest"),
        (["", "label", "patient"], "1 of 3 cases used; 2 excluded by the configuration"),
        (
            ["ingest", "truncated", "label", "", "truncated"],
            "1 of 5 cases used; 1 excluded by the configuration; 3 excluded: 2 truncated, 1 ingest",
        ),
    ],
)
def test_the_last_line_of_a_run(steps, line):
    assert cases.tally(steps) == line


def test_a_bad_case_leaves_empty_outputs_and_its_reason(tmp_path):
    output, facts = tmp_path / "x.nii.gz", tmp_path / "x.json"
    with cases.exclude_on_error("segment", "histo 1", [output], facts, "exclude"):
        raise BadCase("the liver mask is empty")
    assert output.read_bytes() == b""
    with pytest.raises(BadCase, match="the liver mask is empty"):
        cases.require(facts)


def test_a_bad_case_can_stop_the_run(tmp_path):
    with (
        pytest.raises(UserError, match="case histo 1: the liver mask is empty"),
        cases.exclude_on_error("segment", "histo 1", [tmp_path / "x"], tmp_path / "x.json", "stop"),
    ):
        raise BadCase("the liver mask is empty")
    assert not list(tmp_path.iterdir())
