"""A spec.json is one small JSON object, or is refused in words."""

import json
import os

import pytest

from rofit.errors import UserError
from rofit.settings.spec import RunSpec
from rofit.settings.spec_file import read_object
from rofit.store.stored_spec import read_spec

SOUND = json.dumps(RunSpec().as_dict())
REFUSED = {
    "null": "None, which is no object",
    "3": "3, which is no object",
    '"a"': "'a', which is no object",
    "[[1]]": r"\[\[1\]\], which is no object",
    '{"epochs": 1, "epochs": 2}': "'epochs' more than once",
    '{"method_params": {"r": 1, "r": 1}}': "'r' more than once",
    SOUND + " " * (1 << 20): "more than 1,048,576 bytes",
    "[" * 10**5: "lists in lists too deep",
    SOUND[:-2]: "got Expecting",
    '{"seed": ' + "9" * 5000 + "}": "got Exceeds the limit",
}


@pytest.mark.parametrize("text", REFUSED, ids=REFUSED.values())
def test_file_that_is_no_small_object_is_refused(tmp_path, text):
    file = tmp_path / "spec.json"
    file.write_text(text)
    with pytest.raises(UserError, match=f"expected a spec.json at .*{REFUSED[text]}"):
        read_object(file)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_not_waited_for(tmp_path, make):
    make(tmp_path / "spec.json")
    with pytest.raises(UserError, match="got no regular file"):
        read_object(tmp_path / "spec.json")


FIELDS = {
    '{"seed": 1e400}': "seed must be finite, got inf",
    '{"lr": NaN}': "lr must be finite, got nan",
    '{"dataset": "sub/../../data/good"}': "dataset must be a name",
    '{"method_params": {"r": {"a": 1}}}': "r must be a number, a text, true or false",
    '{"method_params": {"r": [[1]]}}': "r must be a number, a text, true or false",
    '{"method_params": {"r": null}}': "r must be a number, a text, true or false",
    '{"method_params": {"": 1}}': "a method parameter must be a name, got an empty",
    '{"method_params": {"r": '
    + "[" * 500
    + "]" * 500
    + "}}": "r must be a number, a t",
    '{"family_id": ["x"]}': r"family_id must be a name, got \['x'\]",
    '{"family_id": "../x"}': "family_id must be a name",
}


@pytest.mark.parametrize("text", FIELDS, ids=FIELDS.values())
def test_object_whose_values_no_run_has_is_refused(tmp_path, text):
    file = tmp_path / "spec.json"
    file.write_text(text)
    with pytest.raises(UserError, match=f"^{FIELDS[text]}"):
        read_spec(file)


def test_sound_file_is_read(tmp_path):
    (tmp_path / "spec.json").write_text(SOUND)
    assert read_spec(tmp_path / "spec.json").spec == RunSpec()
