# SPDX-License-Identifier: GPL-2.0-or-later
"""spawn.py COMMAND...: runs it in a pseudo-terminal, and shows what it writes there."""

import os
import pty
import sys

sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))
