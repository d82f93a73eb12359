"""The command `resonate-nb`: parses, calls, shows."""

from __future__ import annotations

import argparse
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from resonate_nb import cli_people, views
from resonate_nb.errors import InvalidAnswer, NoSuchPromise, ResonateError, UsageError
from resonate_nb.resonate import Resonate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 failed, 2 invalid, 75 pending, 130 interrupted."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        code = command(options)
        sys.stdout.flush()  # here, where it is known what a closed pipe means
    except (UsageError, InvalidAnswer) as problem:
        print(problem, file=sys.stderr)
        return 2
    except ResonateError as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: what was settled is kept", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader, like `head`, has seen enough. What Python still holds would fail at its end, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--store", default=argparse.SUPPRESS, help="the store's folder, else RESONATE_NB_STORE or .resonate"
    )
    parser = argparse.ArgumentParser(
        "resonate-nb", description="Durable promises of notebooks.", parents=[shared]
    )
    parser.add_argument("--version", action="version", version=version("resonate-nb"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Callable[[argparse.Namespace], int], help: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help, description=help, parents=[shared])
        added.set_defaults(command=command)
        return added

    listed = add("list", _list, "list promises")
    listed.add_argument("prefix", nargs="?", default="")
    listed.add_argument("--state")
    listed.add_argument("--tag", action="append", default=[], metavar="K=V")
    demo = add("demo", _demo, "kill a real analysis half-way and run it again")
    demo.add_argument("folder", nargs="?", help="where the notebook and its store stay")
    ran = add("run", _run, "run a notebook; its durable cells and calls go on where they stopped")
    ran.add_argument("notebook")
    ran.add_argument("--wait", action="store_true", help="wait for people's answers, and go on")
    ran.add_argument("--output", help="where the notebook with its outputs goes, else into its own file")
    served = add("serve", _serve, "serve the store's promises as a REST resource")
    served.add_argument("--host", default="127.0.0.1", help="the address to listen at, loopback unless given")
    served.add_argument("--port", type=int, default=8001, help="0 lets the system choose")
    served.add_argument(
        "--token", help="what requests must carry, else RESONATE_NB_TOKEN or a new one, shown"
    )
    for name, command, help in (
        ("show", _show, "show one promise"),
        ("tree", _tree, "show a promise with those that it caused"),
        ("forget", _forget, "delete a promise with its value"),
    ):
        add(name, command, help).add_argument("id")
    cli_people.add_commands(add)
    for each in ("list", "show", "tree"):
        commands.choices[each].add_argument("--json", action="store_true")
    return parser


def _root(options: argparse.Namespace) -> Resonate:
    return Resonate(getattr(options, "store", None))


def _demo(options: argparse.Namespace) -> int:
    from resonate_nb.demo import run_demo

    return run_demo(Path(options.folder) if options.folder else None)


def _run(options: argparse.Namespace) -> int:
    from resonate_nb.running import run_notebook

    return run_notebook(
        Path(options.notebook),
        output=Path(options.output) if options.output else None,
        store=getattr(options, "store", None),
        wait=options.wait,
    )


def _serve(options: argparse.Namespace) -> int:
    from resonate_nb.server.standalone import serve_store

    return serve_store(_root(options).execution, host=options.host, port=options.port, token=options.token)


def _list(options: argparse.Namespace) -> int:
    tags = [tuple(tag.partition("=")[::2]) for tag in options.tag]
    found = views.listing(_root(options).execution, prefix=options.prefix, state=options.state, tags=tags)
    print(json.dumps([views.record(each) for each in found]) if options.json else views.table(found))
    return 0


def _show(options: argparse.Namespace) -> int:
    promise = views.one(_root(options).execution, options.id)
    print(json.dumps(views.record(promise)) if options.json else views.details(promise))
    return 0


def _tree(options: argparse.Namespace) -> int:
    rows = views.tree(_root(options).execution, options.id)
    data = [{"depth": depth, **views.record(promise)} for depth, promise in rows]
    print(json.dumps(data) if options.json else views.outline(rows))
    return 0


def _forget(options: argparse.Namespace) -> int:
    if not _root(options).execution.forget(options.id):
        raise NoSuchPromise(options.id)
    return 0
