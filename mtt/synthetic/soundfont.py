"""The soundfont of the embedded corpus, corrected for what symusic 0.5.9's synthesizer does not read.

The instruments are TimGM6mb.sf2, which the installed package pretty_midi ships. Source of the format: SoundFont Technical Specification
2.04, section 7 (the nine chunks of ``pdta``). Rendered as it is, most presets are out of tune by up to two octaves and a few are not
reproducible. The synthesizer ignores the generators *overridingRootKey* (58) and *coarseTune* (51): here each zone gets a sample header of
its own, with the pitch that the two mean. And it reads beyond a sample whose loop ends at the sample's last points: here such loops are
moved towards the start, both ends by the same amount, which keeps the pitch.
"""

import atexit
import functools
import importlib.metadata
import io
import tempfile
from pathlib import Path

import numpy as np

from mtt.config import SAMPLE_RATE

NAME = "TimGM6mb.sf2"
KEY_RANGE, COARSE_TUNE, SAMPLE_ID, ROOT_KEY = 43, 51, 53, 58  # generators
GUARD = 3.0  # output samples that must follow a loop's end

_BAG = np.dtype([("generator", "<u2"), ("modulator", "<u2")])
_GENERATOR = np.dtype([("kind", "<u2"), ("amount", "<i2")])
_INSTRUMENT = np.dtype([("name", "S20"), ("bag", "<u2")])
_SAMPLE = np.dtype(
    [("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("loop_start", "<u4"), ("loop_end", "<u4"), ("rate", "<u4"),
     ("pitch", "u1"), ("correction", "i1"), ("link", "<u2"), ("kind", "<u2")]
)  # fmt: skip


def shipped() -> Path:
    """The soundfont's place in the installed pretty_midi, which is not imported."""
    return Path(importlib.metadata.distribution("pretty_midi").locate_file(f"pretty_midi/{NAME}"))


@functools.cache
def path() -> str:
    """A file with the corrected soundfont (6 MB), made once in a process and removed when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="mtt-soundfont-")
    atexit.register(folder.cleanup)
    target = Path(folder.name) / NAME
    target.write_bytes(corrected(shipped().read_bytes()))
    return str(target)


def corrected(content: bytes) -> bytes:
    """The soundfont with a sample header for each zone, pitches and loops corrected as the module says."""
    begin = content.rindex(b"pdta") - 8  # the list of presets, instruments and sample headers ends the file
    chunks = _chunks(content[begin + 12 :])
    bags = np.frombuffer(chunks[b"ibag"], _BAG)
    generators = np.frombuffer(chunks[b"igen"], _GENERATOR).copy()
    instruments = np.frombuffer(chunks[b"inst"], _INSTRUMENT)
    samples = np.frombuffer(chunks[b"shdr"], _SAMPLE)
    headers = []
    for first, last in zip(instruments["bag"][:-1], instruments["bag"][1:], strict=True):
        common: dict[int, int] = {}
        for bag in range(first, last):
            zone = slice(int(bags["generator"][bag]), int(bags["generator"][bag + 1]))
            settings = common | dict(generators[zone].tolist())
            if SAMPLE_ID not in settings:
                common = settings  # a global zone: its settings hold for the instrument's other zones
                continue
            generators["amount"][zone][generators["kind"][zone] == SAMPLE_ID] = len(headers)
            headers.append(_header(samples[settings[SAMPLE_ID]], settings))
    generators["amount"][generators["kind"] == COARSE_TUNE] = 0
    chunks[b"igen"] = generators.tobytes()
    chunks[b"shdr"] = np.array([*headers, samples[-1]], dtype=_SAMPLE).tobytes()
    body = b"pdta" + b"".join(name + len(data).to_bytes(4, "little") + data for name, data in chunks.items())
    content = content[:begin] + b"LIST" + len(body).to_bytes(4, "little") + body
    return content[:4] + (len(content) - 8).to_bytes(4, "little") + content[8:]


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """Name and content of each chunk, in the file's order."""
    chunks, stream = {}, io.BytesIO(data)
    while name := stream.read(4):
        chunks[name] = stream.read(int.from_bytes(stream.read(4), "little"))
    return chunks


def _header(sample: np.void, settings: dict[int, int]) -> np.void:
    """A sample header for one zone."""
    header = sample.copy()
    root = settings.get(ROOT_KEY, -1)
    header["pitch"] = np.clip((root if root >= 0 else int(sample["pitch"])) - settings.get(COARSE_TUNE, 0), 0, 127)
    highest = settings.get(KEY_RANGE, 127 << 8) >> 8 & 0x7F
    ratio = SAMPLE_RATE / int(sample["rate"]) * 2.0 ** ((int(header["pitch"]) - min(highest, 108)) / 12)
    lacking = int(np.ceil(GUARD / ratio)) - (int(sample["end"]) - int(sample["loop_end"]))
    for border in ("loop_start", "loop_end"):
        header[border] -= min(max(lacking, 0), int(sample["loop_start"]) - int(sample["start"]))
    return header
