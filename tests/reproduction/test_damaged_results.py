"""A published table that was changed is not drawn, and named by rofit doctor."""

import shutil

import pytest
from command_line import rofit

WORDS = ("run", "fig2_label_assignment", "--scale", "smoke", "--quiet")


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    home = tmp_path_factory.mktemp("published")
    assert rofit(home, *WORDS).code == 0
    return home


@pytest.mark.parametrize("name", ["table.csv", "claims.json", "manifest.json"])
def test_changed_table_is_named_and_made_again(published, tmp_path, name):
    shutil.copytree(published, tmp_path, dirs_exist_ok=True)
    assert rofit(tmp_path, "doctor").code == 0
    file = tmp_path / "results" / "smoke" / WORDS[1] / name
    before = file.read_bytes()
    file.write_bytes(before.replace(b"0", b"1"))
    answer = rofit(tmp_path, "doctor")
    assert answer.code == 1 and name in answer.out and "damaged" in answer.out
    if name == "table.csv":
        redrawn = rofit(tmp_path, *WORDS, "--redraw")
        assert redrawn.code == 2 and "is not what was written" in redrawn.err
    assert rofit(tmp_path, *WORDS).code == 0
    assert file.read_bytes() == before
    assert rofit(tmp_path, "doctor").code == 0
    file.unlink()
    assert "missing" in rofit(tmp_path, "doctor").out
