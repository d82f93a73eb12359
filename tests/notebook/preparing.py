"""Makes a kernel as new for the next row of the trap table; runs inside it, by its path."""

import os
import random
import sys
from pathlib import Path


def prepare(shell, folder, store=None, prefix=""):
    """Forget all that cells left behind, go to a folder, and use a store if one is named."""
    shell.reset(new_session=True)
    shell.compile.reset_compiler_flags()
    shell.ast_node_interactivity = "last_expr"
    left = Path.cwd()
    for name, module in list(sys.modules.items()):
        if Path(getattr(module, "__file__", None) or "/").parent == left:
            del sys.modules[name]
    sys.path_importer_cache.pop(str(left), None)
    Path(folder).mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    random.seed()
    if store is not None:
        shell.run_line_magic("load_ext", "resonate_nb")
        from resonate_nb import configure

        configure(store, prefix=prefix)
