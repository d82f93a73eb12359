"""`python -m resonate_nb` is the command `resonate-nb`."""

import sys

from resonate_nb.cli import main

sys.exit(main())
