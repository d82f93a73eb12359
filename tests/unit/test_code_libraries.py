"""Installed libraries are told from the user's own modules, and count by the number that promises change."""

import importlib
import sys

import pytest

from resonate_nb.code.libraries import PYTHON, Library, library_of


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that puts a distribution into a folder on the path, as pip does."""

    def put(module, distribution, version, folder="site-packages", *, record=True):
        target = tmp_path / folder
        package = target / module.replace(".", "/")
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("def work(): return 1\n")
        info = target / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        if record:
            (info / "RECORD").write_text(
                f"{module.replace('.', '/')}/__init__.py,,\n{info.name}/METADATA,,\n"
            )
        monkeypatch.syspath_prepend(str(target))
        importlib.invalidate_caches()
        return importlib.import_module(module)

    before = set(sys.modules)
    yield put
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_python_itself_has_no_version():
    assert library_of("json.decoder") is PYTHON
    assert library_of("builtins") is PYTHON
    assert library_of(None) is PYTHON


def test_the_notebook_is_the_users_own():
    assert library_of("__main__") is None


def test_resonate_nb_is_a_library_even_when_it_is_edited_in_place():
    assert library_of("resonate_nb.fingerprint").name == "resonate-nb"


@pytest.mark.parametrize("folder", ["site-packages", "target"])
def test_a_distribution_is_found_by_what_it_installed(install, folder):
    install("fancy_import", "other-name", "3.1.4", folder)
    assert library_of("fancy_import") == Library("other-name", "3.1.4")


def test_a_distribution_without_a_record_is_found_by_its_name(install):
    install("plain_name", "plain-name", "2.0", record=False)
    assert library_of("plain_name") == Library("plain-name", "2.0")


def test_a_shared_namespace_belongs_to_whoever_installed_the_file(install):
    install("shared_space.one", "shared-one", "1.0")
    install("shared_space.two", "shared-two", "2.0")
    assert library_of("shared_space.one").name == "shared-one"
    assert library_of("shared_space.two").name == "shared-two"


def test_a_file_on_the_path_is_the_users_own_even_if_python_has_one_of_that_name(tmp_path, monkeypatch):
    (tmp_path / "this.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "this", raising=False)
    importlib.import_module("this")
    assert library_of("this") is None
    del sys.modules["this"]


@pytest.mark.parametrize(
    ("version", "counted"),
    [("2.4.6", "2"), ("0.3.1", "0.3"), ("0", "0.0"), ("2024.8.1", "2024"), ("1!2.0", "1!2"), ("", "")],
)
def test_the_major_version_counts_and_the_minor_one_while_it_is_zero(version, counted):
    assert Library("some", version).counted("major") == counted
    assert Library("some", version).counted("exact") == version
