"""`--trust` runs a file's code in another process, of which tensors come back."""

import argparse
import os
import sys
import types

import numpy as np
import pytest
import torch
from imported_files import brought_in, same_function
from their_networks import WideResNet, settled

from rofit.errors import UserError
from rofit.interop.checkpoints.trusted import read_trusted

pytestmark = pytest.mark.usefixtures("toys")


class Leaves:
    """Writes into a file, where it is unpickled, which process does so."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        code = f"import os; open({self.mark!r}, 'w').write(str(os.getpid()))"
        return exec, (code,)


def _with(net, **more):
    return {"state_dict": net.state_dict(), **more}


def test_code_runs_in_a_process_of_its_own_and_leaves_tensors(tmp_path):
    net, mark = settled(WideResNet(10, 1)), tmp_path / "mark"
    more = {"args": argparse.Namespace(lr=0.1), "test_acc": np.float64(0.1), "epoch": 7}
    loaded = _with(net, code=Leaves(mark), **more)
    with pytest.raises(UserError, match=r"numpy\.|argparse\.|exec"):
        brought_in(tmp_path / "m.pt", loaded)
    assert not mark.exists()
    run, checkpoint = brought_in(tmp_path / "m.pt", loaded, trust=True)
    assert mark.read_text() != str(os.getpid())
    same_function(checkpoint, net)
    assert run.origin.facts == {"test_acc": 0.1, "epoch": 7} and checkpoint.epoch == 7


def test_whole_module_of_code_that_is_not_installed_gives_its_tensors(
    tmp_path, monkeypatch
):
    module = types.ModuleType("their_models")
    module.Net = type("Net", (WideResNet,), {"__module__": "their_models"})
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "their_models", module)
        net = settled(module.Net(10, 1))
        torch.save({"net": net}, tmp_path / "m.pt")
    with pytest.raises(UserError, match=r"asks for their_models\.Net, which is code"):
        brought_in(tmp_path / "m.pt", tmp_path / "m.pt")
    _, checkpoint = brought_in(tmp_path / "m.pt", tmp_path / "m.pt", trust=True)
    same_function(checkpoint, net)


class Fails:
    """Ends the process that unpickles it."""

    def __init__(self, code):
        self.code = code

    def __reduce__(self):
        return exec, (self.code,)


def test_settings_and_records_of_classes_that_are_not_installed_are_dropped(
    tmp_path, monkeypatch
):
    """As MAIR's record manager, EasyDict's dictionaries and lists of either."""
    module = types.ModuleType("their_settings")
    for name, base in (("Record", object), ("Config", dict), ("Steps", list)):
        setattr(module, name, type(name, (base,), {"__module__": "their_settings"}))
    record = module.Record()
    record.history = {"Clean": 0.8}
    net = settled(WideResNet(10, 1))
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "their_settings", module)
        more = {"config": module.Config(lr=0.1), "steps": module.Steps([1, 2])}
        torch.save(_with(net, recordmanager=record, **more), tmp_path / "m.pt")
    _, checkpoint = brought_in(tmp_path / "m.pt", tmp_path / "m.pt", trust=True)
    same_function(checkpoint, net)


def test_no_process_is_started_for_a_file_of_tensors(tmp_path, monkeypatch):
    monkeypatch.setattr("subprocess.run", None)
    torch.save({"weights": torch.ones(2)}, tmp_path / "m.pt")
    assert read_trusted(tmp_path / "m.pt")["weights"].tolist() == [1, 1]
    (tmp_path / "m.pt").write_text("<html>")
    with pytest.raises(UserError, match="is a web page"):
        read_trusted(tmp_path / "m.pt")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("raise OSError('no such luck')", "of its own: OSError: no such luck"),
        ("import os; os._exit(3)", "of its own: it ended silently"),
        ("import os; os._exit(0)", "of its own: it ended silently"),
        ("import os; assert 'SECRET' in os.environ", "of its own: AssertionError"),
        ("print(open('/dev/stdin').read()[:1] + 1)", "of its own: TypeError"),
    ],
)
def test_code_that_fails_is_one_sentence(tmp_path, monkeypatch, code, sentence):
    monkeypatch.setenv("SECRET", "not for it")
    torch.save({"code": Fails(code)}, tmp_path / "m.pt")
    with pytest.raises(UserError, match=sentence):
        read_trusted(tmp_path / "m.pt")


def test_what_comes_back_is_read_as_tensors_alone(tmp_path):
    """Code that writes the process's answer itself cannot get its own code in."""
    mark = tmp_path / "mark"
    code = f"""
import os, sys, torch
class Again:
    def __reduce__(self):
        return os.mkdir, ({str(mark)!r},)
torch.save({{'[]': Again()}}, sys.argv[2])
os._exit(0)
"""
    torch.save({"code": Fails(code)}, tmp_path / "m.pt")
    with pytest.raises(UserError, match="asks for posix.mkdir, which is code"):
        read_trusted(tmp_path / "m.pt")
    for answer in ("{'x': 3}", "{'[]': torch.ones(1)}", "[1]", "{'x': torch.ones(1)}"):
        code = f"import os, sys, torch; torch.save({answer}, sys.argv[2]); os._exit(0)"
        torch.save({"code": Fails(code)}, tmp_path / "m.pt")
        with pytest.raises(UserError, match="leaves something else than tensors"):
            read_trusted(tmp_path / "m.pt")
    assert not mark.exists()
