"""`python -m hybridode`."""

import sys

from hybridode.cli import main

sys.exit(main())
