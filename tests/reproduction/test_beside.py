"""Runs of others beside an analysis's own: in its table and picture, in no claim."""

import json

import pandas as pd
import pytest
from command_line import is_one_sentence, rofit
from made_up_logs import course, write_run
from rofit.figures._style import looks, own
from rofit.figures.fig1_gradnorm import draw

from rofit.errors import Remark
from rofit.interop.logs.importing import Supplied, import_log
from rofit.interop.logs.tags import parse_columns
from rofit.methods.resolve import resolve
from rofit.reproduction.beside import other_rows, takes_others
from rofit.reproduction.catalog import analysis_names
from rofit.reproduction.plan import Request, plan
from rofit.reproduction.publish import draw as draw_saved
from rofit.reproduction.publish import publish, tabulate
from rofit.store.runs import RunStore
from rofit.store.tables import read_csv

CSV = "epoch,adv,clean\n1,0.30,0.40\n2,0.50,0.60\n3,0.45,0.70\n"
COLUMNS = parse_columns(("test/pgd20/accuracy=adv", "test/none/accuracy=clean"))
TITLE = "csv: theirs.csv"


def _own_rows():
    robust = {"measured": "epoch_end", "n": 64, "metric": "accuracy"}
    step = {"split": "train", "metric": "accuracy", "measured": "step", "n": 64}
    return [
        *course([0.2, 0.3], split="test", attack="pgd2", **robust),
        *course([0.2, 0.3], split="val", attack="pgd2", **robust),
        *course([0.6, 0.7], split="test", attack="none", **robust),
        *course([0.3, 0.4], attack="pgd2", **step),
        *course([0.1, 0.1], split="train", metric="learning_rate"),
        *course([1.0, 2.0], split="train", metric="gradient_norm"),
        *course([1.0, 2.0], split="train", metric="weight_norm"),
        *course([1.0, 2.0], split="train", metric="gradient_weight_product"),
    ]


def _theirs(home, text=CSV, name="theirs.csv", **supplied):
    (home / name).write_text(text)
    store = RunStore(home / "runs")
    columns = {"columns": COLUMNS} | supplied
    return import_log(home / name, store, Supplied(**columns)).folder.path.name


def _published(home, name, beside=()):
    """Return the folder of an analysis's results, from made-up runs of its own."""
    request = Request(name, "smoke", beside=beside)
    specs = [resolve(spec) for spec in plan(request)]
    store = RunStore(home / "runs")
    for spec in specs:
        if store.folder(spec.run_id).state == "missing":
            write_run(store.root, spec, _own_rows())
    table = tabulate(request, specs, store)
    others = other_rows(request, table, store)
    folder = home / request.folder / name
    publish(request, specs, table, folder, {}, others)
    return folder


@pytest.mark.parametrize("name", ["fig1_gradnorm", "fig6_cifar100"])
@pytest.mark.filterwarnings("ignore::rofit.errors.Remark")
def test_run_of_others_is_in_table_and_picture_and_in_no_claim(tmp_path, name):
    theirs = _theirs(tmp_path)
    alone = _published(tmp_path, name)
    folder = _published(tmp_path, name, (theirs,))
    assert folder.parent.name == f"smoke+beside={theirs[-8:]}"
    table = read_csv(folder / "table.csv")
    pd.testing.assert_frame_equal(
        own(table).drop(columns="source"),
        read_csv(alone / "table.csv"),
        check_dtype=False,
    )
    rows = table[table["source"] == TITLE]
    assert set(rows["method"]) == {TITLE}
    assert rows["test_robust"].tolist() == [0.3, 0.5, 0.45]
    assert rows.loc[rows["best"].astype(bool), "epoch"].tolist() == [2]
    assert not rows["drop_follows"].astype(bool).any()
    for file in ("claims.json", "claims.md"):
        assert (folder / file).read_bytes() == (alone / file).read_bytes()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["beside"] == [theirs]
    assert "beside" not in json.loads((alone / "manifest.json").read_text())
    assert (folder / f"{name}.png").exists()


@pytest.mark.filterwarnings("ignore::rofit.errors.Remark")
def test_line_of_others_is_drawn_where_it_has_numbers(tmp_path):
    folder = _published(tmp_path, "fig1_gradnorm", (_theirs(tmp_path),))
    table = read_csv(folder / "table.csv")
    left, right = draw(table).axes
    look = looks(table["method"])[TITLE]
    lines = [line for line in right.lines if line.get_color() == look.color]
    assert [list(line.get_ydata()) for line in lines] == [[30, 50, 45]]
    assert not [line for line in left.lines if line.get_color() == look.color]
    figure = draw(table)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert TITLE in labels


@pytest.mark.filterwarnings("ignore::rofit.errors.Remark")
def test_table_has_best_last_and_clean_of_others_and_no_bold(tmp_path):
    folder = _published(tmp_path, "table2_remedies", (_theirs(tmp_path),))
    text = (folder / "table2_remedies.md").read_text()
    heads, _, *rows = (line for line in text.splitlines() if line.startswith("|"))
    names = [cell.strip() for cell in heads.strip("|").split("|")]
    theirs = [cell.strip() for cell in rows[-1].strip("|").split("|")]
    values = dict(zip(names, theirs, strict=True))
    assert values["method"] == TITLE
    assert (values["PGD-20 best"], values["PGD-20 last"]) == ("50.0", "45.0")
    assert (values["clean best"], values["clean last"]) == ("60.0", "70.0")
    assert values["every epoch's PGD best"] == ""
    assert "**30.0**" in rows[0], "bold is among our own"
    draw_saved("table2_remedies", folder)
    assert (folder / "table2_remedies.md").read_text() == text


def test_what_a_run_of_others_lacks_is_said(tmp_path):
    theirs = _theirs(tmp_path)
    with pytest.warns(Remark, match=f"{theirs} has no gradient_norm, gradient_weight"):
        _published(tmp_path, "fig1_gradnorm", (theirs,))
    text = "epoch,clean\n1,0.4\n"
    columns = parse_columns(("test/none/accuracy=clean",))
    clean = _theirs(tmp_path, text, "clean.csv", columns=columns)
    with pytest.warns(Remark, match="lacks what fig1_gradnorm needs and is left out"):
        folder = _published(tmp_path, "fig1_gradnorm", (clean,))
    assert "source" not in read_csv(folder / "table.csv")


@pytest.mark.filterwarnings("ignore::rofit.errors.Remark")
def test_files_of_one_name_are_told_apart(tmp_path):
    one = _theirs(tmp_path)
    two = _theirs(tmp_path, CSV.replace("0.30", "0.31"))
    folder = _published(tmp_path, "fig6_cifar100", (one, two))
    table = read_csv(folder / "table.csv")
    names = [f"{TITLE}", f"{TITLE} (2)"]
    assert list(table["method"].drop_duplicates())[-2:] == names
    shown = looks(table["method"])
    assert len({look.color for look in shown.values()}) == len(shown)


def test_analysis_that_takes_no_runs_of_others_says_which_do(tmp_path):
    theirs = _theirs(tmp_path)
    answer = rofit(tmp_path, "run", "fig3_confidence", "--beside", theirs)
    able = [name for name in analysis_names() if takes_others(name)]
    assert able == [
        "fig1_gradnorm", "fig2_label_assignment", "fig6_cifar100", "table2_remedies"
    ]  # fmt: skip
    is_one_sentence(answer, f"fig3_confidence takes no runs beside its own; those that "
                    f"do: {', '.join(able)}")  # fmt: skip
    nobody = rofit(tmp_path, "run", "fig1_gradnorm", "--beside", "nix")
    is_one_sentence(nobody, "no single run 'nix'")
