"""`%why` and `--dry-run` in a real kernel: part by part, old and new; and what the line under a cell says."""

LOAD = "%load_ext resonate_nb"
DEFINE = "alpha = 0.2\nframe = [1, 2]\ndef scale(x):\n    return x * 3"
CELL = "%%durable prices\ny = scale(alpha)\nz = sum(frame)"


def start(kernel, *cells):
    for cell in (LOAD, DEFINE, *cells):
        assert kernel.run(cell).error is None


def test_everything_that_changed_is_named_old_and_new(kernel):
    start(kernel, CELL)
    kernel.restart()
    start(kernel, "alpha = 0.1\nframe = [1, 3]\ndef scale(x):\n    # less\n    return x * 2")
    dry = kernel.run(CELL.replace("prices", "prices --dry-run")).text
    assert dry.startswith("prices: would be computed, because\n")
    kernel.run(CELL)
    for said in (dry, kernel.run("%why").text, kernel.run("%why prices").text):
        assert "- input `alpha`: 0.1, was 0.2\n" in said
        assert "- input `frame`: [1, 3], was [1, 2]\n" in said
        assert "- helper `scale` changed, line 3: `return x * 2`, was `return x * 3`\n" in said
        assert "compared with cell/prices@" in said


def test_an_edit_of_the_cell_is_told_with_its_line(kernel):
    start(kernel, CELL, CELL.replace("z = sum(frame)", "# all\nz = max(frame)"))
    said = kernel.run("%why").text
    assert "the cell's own code changed, line 4: `z = max(frame)`, was `z = sum(frame)`" in said


def test_a_dry_run_computes_changes_and_keeps_nothing(kernel):
    start(kernel)
    cell = "%%durable marked --version 3 --dry-run\nopen('mark', 'w').close()\nnew = 1"
    assert "nothing of this name was kept before" in kernel.run(cell).text
    assert not (kernel.cwd / "mark").exists()
    assert kernel.run("new").error[0] == "NameError"
    assert kernel.run("%promises").text == "no promises\n"
    assert kernel.run("%promises pin/").text == "no promises\n"


def test_a_settled_cell_would_be_replayed(kernel):
    start(kernel, CELL)
    assert (
        "prices: would be replayed: computed 2" in kernel.run(CELL.replace("prices", "prices --dry-run")).text
    )
    kernel.run(CELL)
    assert "prices: replayed, nothing that counts has changed" in kernel.run("%why").text


def test_obstacles_and_failed_attempts_are_told(kernel):
    start(kernel)
    kernel.run("%%durable history\nw = _i")
    assert "it reads _i" in kernel.run("%why history").text
    assert "it reads _i" in kernel.run("%%durable history --dry-run\nw = _i").text
    kernel.run("%%durable broken\n1 / 0")
    assert "the last attempt failed: ZeroDivisionError: division by zero" in kernel.run("%why").text
    kernel.run("%%durable locked\nimport threading\nlock = threading.Lock()")
    assert "not kept last time: lock is a _thread.lock" in kernel.run("%why locked").text
    assert "the last attempt failed" in kernel.run("%why broken").text


def test_a_function_is_explained_by_its_name_or_an_id(kernel):
    start(kernel, "from resonate_nb import durable\n@durable\ndef score(a, b=2):\n    return a * b")
    assert kernel.run("%why score").text == "score: never called so far\n"
    kernel.run("score(1)\nscore(1, b=3)")
    assert "- input `b`: 3, was 2\n" in kernel.run("%why score").text
    id = kernel.run("print(score.promise(1).id)").text.strip()
    assert "nothing of this name was kept before" in kernel.run(f"%why {id}").text
    name, text = kernel.run("%why nowhere").error
    assert name == "UsageError"
    assert "'nowhere'" in text


def test_the_line_under_a_cell_is_for_people_only(kernel):
    start(kernel)
    lines = []
    for cell in (CELL, CELL, "alpha = 0.1", CELL):
        lines += [
            each["data"]["text/plain"] for each in kernel.finish(kernel.begin(cell, allow_stdin=True)).outputs
        ]
    computed, replayed, again = lines
    assert computed.startswith("prices: computed in ")
    assert ", kept " in computed
    assert replayed.startswith("prices: replayed in ")
    assert again.endswith("; input `alpha`: 0.1, was 0.2")
    assert kernel.run(CELL).outputs == []
    assert (
        kernel.finish(kernel.begin(CELL.replace("prices", "prices --quiet"), allow_stdin=True)).outputs == []
    )


def test_a_random_generator_in_another_state_is_told(kernel):
    cell = "%%durable drawn\nd = random.random()"
    start(kernel, "import random\nrandom.seed(1)", cell, "random.seed(2)")
    said = kernel.run(cell.replace("drawn", "drawn --dry-run")).text
    assert "drawn: would be computed, because\n" in said
    assert "- a random generator that it draws from is in another state: random\n" in said
    start(kernel, "import random\nrandom.seed(1)")
    assert "would be replayed" in kernel.run(cell.replace("drawn", "drawn --dry-run")).text


def test_refused_work_and_ignored_names_are_told(kernel):
    start(kernel, "%%durable --id monday\ny = scale(alpha)")
    assert kernel.run("%%durable --id monday\ny = scale(alpha) + 1").error[0] == "PromiseConflict"
    assert "y: refused, because\n- promise 'monday' belongs to" in kernel.run("%why").text
    start(kernel, "%%durable pinned --version 2\nw = scale(1)")
    dry = kernel.run("%%durable pinned --version 2 --dry-run\n# twice\nw = scale(2)").text
    assert "would be refused with VersionConflict: version 2 is pinned to other code, because\n" in dry
    assert "- the cell's own code changed, line 3: `w = scale(2)`, was `w = scale(1)`\n" in dry
    ignoring = "%%durable total --ignore frame\nt = sum(frame)"
    start(kernel, ignoring, "frame = [5]", ignoring)
    assert kernel.run("print(t)").text == "3\n"
    said = kernel.run("%why total").text
    assert "total: replayed" in said
    assert said.endswith("\nnot looked at: frame (--ignore)\n")


def test_changed_files_are_told(kernel):
    (kernel.cwd / "data.csv").write_text("1")
    cell = "%%durable read\nwith open('data.csv') as lines:\n    text = lines.read()"
    start(kernel, cell)
    (kernel.cwd / "data.csv").write_text("2")
    dry = kernel.run(cell.replace("read\n", "read --dry-run\n", 1)).text
    assert "read: would be computed, because\n- data.csv" in dry
    kernel.run(cell)
    assert "data.csv" in kernel.run("%why").text
    kernel.run(cell.replace("read\n", "read --watch data.csv\n", 1))
    assert "- --watch names data.csv, was no files\n" in kernel.run("%why").text
