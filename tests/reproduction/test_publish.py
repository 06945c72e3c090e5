"""What is not published: other columns, or into a folder that cannot be made."""

import pandas as pd
import pytest

from rofit.errors import UserError
from rofit.reproduction import catalog
from rofit.reproduction.plan import Request, plan
from rofit.reproduction.publish import publish, result_folder

NAMES = pytest.mark.parametrize("name", catalog.analysis_names())


@NAMES
def test_table_that_is_not_as_declared_is_refused(name, tmp_path):
    request, wrong = Request(name, "smoke"), pd.DataFrame({"epoch": [1]})
    sentence = r"table must have the columns .* has \['epoch'"
    with pytest.raises(UserError, match=sentence):
        publish(request, plan(request), wrong, tmp_path, {})


@NAMES
def test_results_that_cannot_be_written_are_one_sentence(name, tmp_path):
    (tmp_path / "file").touch()
    request = Request(name, "smoke")
    empty = pd.DataFrame(columns=catalog.load_analysis(name).COLUMNS)
    folder = result_folder(request, tmp_path / "file")
    sentence = (
        "the folder of results .* cannot be written .*; choose another with --out"
    )
    with pytest.raises(UserError, match=sentence):
        publish(request, plan(request), empty, folder, {})
