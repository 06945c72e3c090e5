"""Every analysis end to end at smoke scale, from the command to its result folder."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

import pandas as pd
import pytest
from command_line import Answer, rofit
from few_images import few_images
from rofit.analyses import table2_remedies, table9_compositions
from rofit.figures._style import WIDTHS

from rofit.bench import costs
from rofit.evaluation import masking
from rofit.measures.claims import Claim, from_plain
from rofit.methods.resolve import all_teachers
from rofit.reproduction import catalog, publish
from rofit.reproduction.plan import Request, plan
from rofit.settings.spec import RunSpec
from rofit.store.rows import load_logs
from rofit.store.runs import RunStore

# Every method's training is tested in tests/methods.
SOME_REMEDIES = ("pgd_at", "label_smoothing", "awp", "kd_swa", "sgls", "sglr", "ikl")


class Ran(NamedTuple):
    """An analysis that was run at smoke scale."""

    name: str
    home: Path
    answer: Answer
    first: Answer  # of the command that had made it before
    events_before: dict[str, bytes]
    files_before: dict[str, bytes]

    @property
    def folder(self) -> Path:
        return self.home / "results" / "smoke" / self.name

    @property
    def words(self) -> tuple[str, ...]:
        return ("run", self.name, "--scale", "smoke")

    @property
    def rendered(self) -> bool:
        """Whether it is a table."""
        return self.name.startswith("table")


def _events(home: Path) -> dict[str, bytes]:
    """Return what every run of the store has been through."""
    files = sorted(home.glob("runs/*/events.jsonl"))
    return {file.parent.name: file.read_bytes() for file in files}


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def everything(tmp_path_factory) -> Iterator[tuple[Path, Answer]]:
    """A folder in which every analysis was reproduced, and what the command said.

    What takes longest is smaller: diagnostics, checks for gradient masking, the rounds
    in which steps are timed, the methods of Table 2 and the compositions of Table 9.
    """
    home = tmp_path_factory.mktemp("smoke")
    with few_images(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(costs, "ROUNDS", 3)
        patch.setattr(masking, "PROBED", 16)
        patch.setattr(table2_remedies, "METHODS", SOME_REMEDIES)
        patch.setattr(table9_compositions, "LABELS", ("given", "sglr"))
        patch.setattr(table9_compositions, "WEIGHTS", ("none", "swa"))
        yield home, rofit(home, "reproduce", "--all", "--scale", "smoke")


@pytest.fixture(scope="module")
def home(everything) -> Path:
    """That folder, whose runs all analyses share."""
    return everything[0]


@pytest.fixture(scope="module", params=catalog.analysis_names())
def ran(request, everything) -> Ran:
    """An analysis that is run again, alone."""
    home, first = everything
    folder = home / "results" / "smoke" / request.param
    before = _events(home), _files(folder)
    answer = rofit(home, "run", request.param, "--scale", "smoke")
    return Ran(request.param, home, answer, first, *before)


def _planned(name: str) -> list[RunSpec]:
    """Return the runs that are trained at smoke scale: all that are of digits."""
    if catalog.is_timed(name):
        return []
    specs = plan(Request(name, "smoke"))
    return [spec for spec in specs if spec.dataset == "digits"]


def _strict(text: str) -> dict:
    """Return JSON as any reader takes it: NaN is none."""

    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def _claims(ran: Ran) -> list[Claim]:
    saved = _strict((ran.folder / "claims.json").read_text())
    return [from_plain(claim) for claim in saved]


def test_everything_is_reproduced_by_one_command_and_no_run_is_made_twice(everything):
    home, answer = everything
    assert answer.code == 0, answer.err
    for name in catalog.analysis_names():
        kind = "md" if name.startswith("table") else "png"
        assert str(home / "results" / "smoke" / name / f"{name}.{kind}") in answer.out
    expected = {
        spec.run_id
        for name in catalog.analysis_names()
        for spec in (*all_teachers(_planned(name)), *_planned(name))
    }
    assert {path.name for path in (home / "runs").iterdir()} == expected
    for path in (home / "runs").glob("*/events.jsonl"):
        assert path.read_text().count('"event": "start"') == 1


def test_run_makes_table_picture_claims_and_manifest(ran):
    assert ran.answer.code == 0, ran.answer.err
    assert ran.answer.out.startswith("scale smoke: ")
    made = {path.name for path in ran.folder.iterdir()}
    kinds = {".pdf": b"%PDF", ".png": b"\x89PNG"}
    begins = {f"{w}{kind}": begin for w in WIDTHS for kind, begin in kinds.items()}
    if ran.rendered:
        begins = {".md": b"| ", ".tex": b"% needs \\usepackage{booktabs}"}
    common = {"table.csv", "manifest.json", "claims.json", "claims.md", "digests.jsonl"}
    assert made == common | {f"{ran.name}{ending}" for ending in begins}
    for ending, begin in begins.items():
        assert (ran.folder / f"{ran.name}{ending}").read_bytes().startswith(begin)
    assert str(ran.folder / "table.csv") in ran.answer.out


def test_table_has_scale_data_and_the_declared_columns(ran):
    table = pd.read_csv(ran.folder / "table.csv")
    analysis, specs = catalog.load_analysis(ran.name), plan(Request(ran.name, "smoke"))
    absent = {spec.dataset for spec in specs} - {"digits"}
    extra = ["absent"] if absent else []
    assert list(table) == ["scale", "data", *extra, *analysis.COLUMNS] and len(table)
    for name in absent:
        assert f"{name} (scale smoke is of digits)" in table["absent"].iloc[0]
    assert set(table["scale"]) == {"smoke"} and table["data"].nunique() == 1


def test_manifest_names_runs_that_are_done_and_what_they_were_made_with(ran):
    manifest = _strict((ran.folder / "manifest.json").read_text())
    expected = [spec.run_id for spec in _planned(ran.name)]
    assert (manifest["analysis"], manifest["scale"]) == (ran.name, "smoke")
    assert manifest["runs"] == expected and manifest["overrides"] == {}
    states = [RunStore(ran.home / "runs").folder(run).state for run in manifest["runs"]]
    assert set(states) <= {"done"}
    assert {"commit", "versions", "data", "seeds"} <= set(manifest)
    assert {"python", "torch", "numpy", "rofit"} <= set(manifest["versions"])


def test_claims_are_saved_printed_and_read_back(ran):
    claims = _claims(ran)
    assert claims
    markdown = (ran.folder / "claims.md").read_text()
    for claim in claims:
        assert claim.verdict in ran.answer.out and claim.sentence[:20] in ran.answer.out
        assert f"| **{claim.verdict}** | {claim.sentence} (" in markdown


def test_second_run_trains_nothing_and_makes_the_same_files(ran):
    """The second is the one alone, the first the one of everything."""
    assert ran.answer.code == 0 and _events(ran.home) == ran.events_before
    after = _files(ran.folder)
    if catalog.is_timed(ran.name):
        assert after.keys() == ran.files_before.keys()
    else:
        scale, _, rest = ran.answer.out.partition("\n")
        assert scale == ran.first.out.partition("\n")[0] and rest in ran.first.out
        assert after == ran.files_before


def test_dry_run_lists_the_missing_runs_and_touches_nothing(ran, tmp_path):
    answer = rofit(tmp_path, *ran.words, "--dry-run", "--json")
    rows = _strict(answer.out)["runs"]
    specs = [] if catalog.is_timed(ran.name) else plan(Request(ran.name, "smoke"))
    every = dict.fromkeys([*all_teachers(specs), *specs])
    expected = [spec.run_id for spec in every]
    assert [(row["run"], row["state"]) for row in rows] == [
        (run, "missing") for run in expected
    ]
    assert list(tmp_path.iterdir()) == []


def test_redraw_needs_the_saved_table_only(ran, tmp_path):
    folder = tmp_path / "results" / "smoke" / ran.name
    shutil.copytree(ran.folder, folder)
    picture = folder / f"{ran.name}.{'tex' if ran.rendered else 'pdf'}"
    drawn = picture.read_bytes()
    picture.write_bytes(b"")
    table = (folder / "table.csv").read_bytes()
    answer = rofit(tmp_path, *ran.words, "--redraw")
    assert answer.code == 0, answer.err
    assert picture.read_bytes() == drawn
    assert (folder / "table.csv").read_bytes() == table
    assert not (tmp_path / "runs").exists()


def test_redraw_without_a_table_says_to_run_first(ran, tmp_path):
    answer = rofit(tmp_path, *ran.words, "--redraw")
    assert answer.code == 2 and "run without --redraw first" in answer.err


def test_json_answer_is_read_by_any_reader_of_json(ran, monkeypatch):
    monkeypatch.setattr(publish, "draw", lambda name, folder: None)  # as it is
    answer = rofit(ran.home, *ran.words, "--json")
    (result,) = _strict(answer.out)["results"]
    assert result["analysis"] == ran.name
    assert result["table"] == str(ran.folder / "table.csv")
    assert Path(result["shown"]).parent == ran.folder
    assert Path(result["shown"]).exists()
    saved = _strict((ran.folder / "claims.json").read_text())
    assert result["claims"] == saved


def test_saved_picture_embeds_fonts_that_journals_take(ran):
    pictures = list(ran.folder.glob("*.pdf"))
    assert len(pictures) == (0 if ran.rendered else len(WIDTHS))
    for picture in pictures:
        assert b"/Type3" not in picture.read_bytes()


def test_logs_know_the_runs_by_id_and_family(ran):
    specs = _planned(ran.name)
    if not specs:
        pytest.skip("its steps are timed, it has no runs")
    logs = load_logs(ran.home / "runs", [spec.run_id for spec in specs])
    families = logs.drop_duplicates("run_id").set_index("run_id")["family_id"]
    assert families.to_dict() == {spec.run_id: spec.family_id for spec in specs}
