import re

import pytest

from hepatoclr.base import names

IDS = ["0012", "a", "A", "Patient 7", "patient 7", "Müller, Jörg", "患者-１", "a_b", "a+b", "a~b"]
IDS += ["TCGA-DD-A1EG", "1.2.840.113", "x" * 80, "a{b}", 'quo"te', "1+1=2", "-1", "é", "e\u0301"]


@pytest.mark.parametrize("text", IDS)
def test_encoding_is_safe_and_reversible(text):
    assert re.fullmatch(names.SAFE, names.encode(text))
    assert names.decode(names.encode(text)) == text


def test_no_two_ids_share_a_name_even_where_case_is_ignored():
    assert len({names.encode(text).lower() for text in IDS}) == len(IDS)


def test_names_as_documented():
    assert names.encode("0012") == "0012"
    assert names.encode("Patient 7") == "+p+atient_207"
    assert names.case("0012", "CT 1") == "0012~+ct_201"
