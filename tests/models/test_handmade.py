"""Features made by hand come of a librosa that no two processes compile at once."""

import threading

from mtt.files import alone
from mtt.models.handmade import load_librosa


def test_librosa_waits_for_the_process_that_compiles_it(tmp_path, monkeypatch):
    monkeypatch.setenv("MTT_HOME", str(tmp_path))
    loading = threading.Thread(target=load_librosa.__wrapped__)
    with alone(tmp_path / "cache" / ".librosa.lock"):
        loading.start()
        loading.join(timeout=0.5)
        assert loading.is_alive()
    loading.join(timeout=60)
    assert not loading.is_alive()
