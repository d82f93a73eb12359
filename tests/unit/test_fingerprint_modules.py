"""The user's own modules are followed, checked against the file on disk, and told from libraries."""

import importlib
import os
import subprocess
import sys
from itertools import count

import pytest

from resonate_nb.fingerprint import describe_code, difference, fingerprint

numbers = count()
GOLDEN = "d43bcdead93d0e791a1996ba9fb4b4e8"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Give a folder on the path of imports, and forget what was imported from it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(path, text):
    """Write a module so that it is seen to have changed, however coarse the disk's clock is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (1_700_000_000 + next(numbers),) * 2)
    importlib.invalidate_caches()


def using(text, **names):
    namespace = {"__name__": "__main__", **names}
    exec(text, namespace)
    return namespace["f"]


def test_a_module_that_is_saved_is_stale_until_it_is_reloaded(folder):
    write(folder / "own_a.py", "def g():\n    return 1\n")
    mod = importlib.import_module("own_a")
    f = using("def f(): return mod.g()", mod=mod)
    before = fingerprint(f)
    write(folder / "own_a.py", "def g():\n    return 2\n")
    saved = fingerprint(f)
    importlib.reload(mod)
    reloaded = fingerprint(f)
    assert (before.stale, saved.stale, reloaded.stale) == (None, "own_a", None)
    assert before.digest == saved.digest != reloaded.digest


def test_an_edit_elsewhere_in_the_file_makes_nothing_stale(folder):
    write(folder / "own_b.py", "def g():\n    return 1\n")
    mod = importlib.import_module("own_b")
    before = fingerprint(mod.g)
    write(
        folder / "own_b.py", '"""Now with words."""\n\n\ndef h():\n    return 2\n\n\ndef g():\n    return 1\n'
    )
    after = fingerprint(mod.g)
    assert (after.stale, after.digest) == (None, before.digest)


def test_a_class_is_stale_too(folder):
    write(folder / "own_c.py", "class C:\n    def m(self):\n        return 1\nclass D:\n    k: int\n")
    mod = importlib.import_module("own_c")
    before = fingerprint(mod.C), fingerprint(mod.D)
    write(folder / "own_c.py", "class C:\n    def m(self):\n        return 2\nclass D:\n    k: str\n")
    assert [each.stale for each in before] == [None, None]
    assert [fingerprint(each).stale for each in (mod.C, mod.D)] == ["own_c", "own_c"]


def test_a_packages_submodules_constants_and_data_are_followed(folder):
    write(folder / "own_d/__init__.py", "")
    write(folder / "own_d/sub.py", "from .deep import g\nK = 1\nTABLE = [1]\ndef h():\n    return g()\n")
    write(folder / "own_d/deep.py", "DATA = {}\ndef g():\n    return DATA\n")
    sub = importlib.import_module("own_d.sub")
    f = using("def f(): return own_d.sub.h(), own_d.sub.K, own_d.sub.TABLE", own_d=sys.modules["own_d"])
    taken = fingerprint(f)
    assert [each.path for each in taken.captures] == ["own_d.sub.TABLE", "own_d.sub.h.g.DATA"]
    sub.TABLE = [2]
    assert fingerprint(f).captures[0].read() == [2]
    sub.K = 2
    changed = fingerprint(f)
    assert difference(taken.parts, changed.parts) == ["constant own_d.sub.K: 2, was 1"]


@pytest.mark.parametrize("with_source", [True, False])
def test_what_a_body_imports_itself_is_followed_from_the_first_call_on(folder, with_source):
    write(folder / "own_e/__init__.py", "")
    write(folder / "own_e/tools.py", "def g():\n    return 1\n")
    text = "def f():\n from own_e import tools\n from json import dumps\n return tools.g(), dumps"
    if with_source:
        write(folder / "own_e/user.py", text)
        one = importlib.import_module("own_e.user").f
    else:
        one = using(text)
    first = fingerprint(one)
    assert fingerprint(one).digest == first.digest
    mod = importlib.import_module("own_e.tools")
    write(folder / "own_e/tools.py", "def g():\n    return 2\n")
    importlib.reload(mod)
    assert fingerprint(one).digest != first.digest


def test_a_module_that_is_passed_as_a_whole_counts_as_a_whole(folder):
    write(folder / "own_f.py", "def g():\n    return 1\n")
    mod = importlib.import_module("own_f")
    f = using("def f(): return getattr(mod, 'g')", mod=mod)
    before = fingerprint(f)
    write(folder / "own_f.py", "def g():\n    return 2\n")
    importlib.reload(mod)
    assert fingerprint(f).digest != before.digest


def test_where_a_function_lies_does_not_count(folder):
    text = "def g():\n    return K\ndef f(x):\n    return g() + x\nK = 1\n"
    for name in ("own_g.py", "own_h.py"):
        write(folder / name, text)
    digests = {fingerprint(importlib.import_module(name).f).digest for name in ("own_g", "own_h")}
    assert len(digests) == 1


def test_a_module_that_was_rewritten_on_import_is_not_called_stale(folder):
    write(folder / "own_i.py", "def g():\n    return 1\n")
    mod = importlib.import_module("own_i")

    class RewritingLoader:
        pass

    mod.__loader__ = RewritingLoader()
    write(folder / "own_i.py", "def g():\n    return 2\n")
    assert fingerprint(mod.g).stale is None


def installed(folder, version):
    """Install a library of this version in a folder of its own, and import it."""
    target = folder / f"v{version}" / "site-packages"
    write(target / "somelib/__init__.py", f"def work():\n    return {version!r}\n")
    write(
        target / f"some_lib-{version}.dist-info/METADATA",
        f"Metadata-Version: 2.1\nName: some-lib\nVersion: {version}\n",
    )
    write(target / f"some_lib-{version}.dist-info/RECORD", "somelib/__init__.py,,\n")
    sys.path.insert(0, str(target))
    sys.modules.pop("somelib", None)
    importlib.invalidate_caches()
    try:
        return importlib.import_module("somelib")
    finally:
        sys.path.remove(str(target))


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [("2.1", "2.2", False), ("2.1", "3.0", True), ("0.1.1", "0.1.2", False), ("0.1", "0.2", True)],
)
@pytest.mark.parametrize("text", ["def f(): return lib.work()", "work = lib.work\ndef f(): return work()"])
def test_a_library_counts_by_its_major_version(folder, old, new, counts, text):
    before = fingerprint(using(text, lib=installed(folder, old)))
    after = fingerprint(using(text, lib=installed(folder, new)))
    assert (before.digest != after.digest) is counts
    assert difference(before.parts, after.parts)[-1:] == ([f"some-lib {new}, was {old}"] if counts else [])


def test_a_library_counts_by_its_exact_version_when_asked(folder):
    one = using("def f(): return lib.work()", lib=installed(folder, "2.1"))
    exact, major = fingerprint(one, library="exact"), fingerprint(one)
    other = using("def f(): return lib.work()", lib=installed(folder, "2.2"))
    assert fingerprint(other, library="exact").digest != exact.digest
    assert fingerprint(other).digest == major.digest
    assert ("some-lib", "2.1") in [(part.path, part.source) for part in exact.parts]


def test_a_librarys_class_is_described_by_name_and_version(folder):
    assert describe_code(installed(folder, "2.1").work) == "somelib.work some-lib 2"
    assert describe_code(dict) == "builtins.dict"


SCRIPT = """
import collections, functools, enum
from dataclasses import dataclass, field
TABLE = {"a": 1}
P = collections.namedtuple("P", "x y")
KINDS = frozenset({"x", "y", "z", 1, 2.5})
class E(enum.Enum):
    A = 1
@dataclass
class C:
    e: E = E.A
    xs: list = field(default_factory=list)
    def m(self): return {k for k in KINDS if k in {"p", "q"}}
def g(x, *, k=KINDS): return f(x), TABLE, C
@functools.lru_cache
def h(x): return g(x)
def f(x):
    class Local:
        def a(self): self.one, self.two, self.three = x
    return h(x), P(1, x), Local, lambda: E.A
"""


def test_processes_with_different_hash_seeds_agree_on_every_python(tmp_path):
    text = f"{SCRIPT}\nfrom resonate_nb.fingerprint import fingerprint, describe_code\n"
    text += "print(fingerprint(f).digest, fingerprint(C).digest, describe_code(g), fingerprint(f).stale)"
    (tmp_path / "script.py").write_text(text)
    shown = {
        subprocess.run(
            [sys.executable, "script.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        for seed in ("0", "1", "2", "random")
    }
    [same] = shown
    assert same.endswith("None\n")
    assert same.split()[0] == GOLDEN
