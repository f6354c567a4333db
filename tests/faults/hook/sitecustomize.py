"""First on PYTHONPATH of a test's process: at a named point, in it or in a process that it starts, a signal to all of them.

Python tells audit hooks of every file that it opens, makes, renames or removes, before it does so: no product code is needed for that.
The variable FAULT is JSON: ``point`` (a pattern, searched in "EVENT PATH"), ``at`` (which of the matching events, over all processes; 0:
they are only counted), ``after`` (strike when it is done, else just before), ``signal``, and ``notes`` (a folder for this module).
"""

import json
import os
import re
import sys

EVENTS = {"open": 0, "os.rename": 1, "os.mkdir": 0, "os.remove": 0}  # and which argument is the path


class Fault:
    def __init__(self, point, at, after, signal, notes):
        self.pattern, self.at, self.after, self.signal, self.notes = re.compile(point), at, after, signal, notes
        self.main = int(os.environ.setdefault("FAULT_MAIN", str(os.getpid())))  # leads the group of the process under test
        self.busy = self.due = False

    def __call__(self, event, arguments):
        if self.busy or event not in EVENTS:
            return
        self.busy = True  # what follows opens files too
        if self.due:
            self.strike()
        elif self.pattern.search(f"{event} {arguments[EVENTS[event]]}") and self.count() == self.at:
            self.due = True
            if not self.after:
                self.strike()
        self.busy = False

    def count(self):
        file = os.open(os.path.join(self.notes, "events"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(file, b".")
        number = os.lseek(file, 0, os.SEEK_CUR)  # after what this process appended
        os.close(file)
        return number

    def strike(self):
        self.due = False
        os.close(os.open(os.path.join(self.notes, "struck"), os.O_WRONLY | os.O_CREAT))
        os.killpg(self.main, self.signal)
        if os.getpgrp() != self.main and self.signal == 9:  # a notebook's kernel leads a group of its own
            os.killpg(0, self.signal)


if "FAULT" in os.environ:
    sys.addaudithook(Fault(**json.loads(os.environ["FAULT"])))
