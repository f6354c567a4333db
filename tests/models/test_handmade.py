"""Features made by hand come of a librosa that no two processes compile at once."""

import fcntl
import importlib.util
import threading

from mtt.models.handmade import load_librosa


def test_librosa_waits_for_the_process_that_compiles_it():
    loading = threading.Thread(target=load_librosa.__wrapped__)
    with open(importlib.util.find_spec("librosa").origin, "rb") as library:
        fcntl.flock(library, fcntl.LOCK_EX)
        loading.start()
        loading.join(timeout=0.5)
        assert loading.is_alive()
    loading.join(timeout=60)
    assert not loading.is_alive()
