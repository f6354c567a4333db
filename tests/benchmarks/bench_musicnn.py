"""musicnn on 30 s of audio: ours in float32 and in bfloat16 beside a plain port of the published code, and how far their answers differ.

    PYTHONPATH=. python tests/benchmarks/bench_musicnn.py [--threads 1] [--wheel musicnn-0.1.0-py3-none-any.whl]

Without the wheel, weights are random: they take as long, and answer otherwise. The port computes all patches at once, layer by layer.
"""

import argparse
import zipfile

import torch
from frame import fastest, music, show

from mtt.config import SAMPLE_RATE
from mtt.models import build_model
from mtt.models.musicnn import PATCH, PUBLISHED
from mtt.models.official import MUSICNN_NAMES, musicnn_state
from mtt.reading.tensorbundle import read_bundle
from tests.models.plain_musicnn import plain, random_tensors


def published_tensors(wheel: str) -> dict:
    with zipfile.ZipFile(wheel) as archive:
        index, data = (archive.read(f"musicnn/MSD_musicnn/{name}") for name in (".index", ".data-00000-of-00001"))
    return read_bundle(index, data, list(MUSICNN_NAMES))


@torch.inference_mode()
def main(threads: int, wheel: str | None) -> None:
    torch.set_num_threads(threads)
    theirs = published_tensors(wheel) if wheel else random_tensors()
    ours = build_model(PUBLISHED, 50).eval()
    ours.load_state_dict(musicnn_state(theirs))
    wave = torch.from_numpy(music(30.0, SAMPLE_RATE)).T.contiguous()
    mel = ours.spectrogram(wave)
    patches = torch.stack(mel[0].split(PATCH, dim=1)[:-1]).transpose(1, 2)

    def coarse() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return ours.from_mel(mel)

    took = {
        "plain port": fastest(lambda: plain(theirs, patches)),
        "ours": fastest(lambda: ours.from_mel(mel)),
        "ours, bfloat16": fastest(coarse),
        "spectrogram, with resampling": fastest(lambda: ours.spectrogram(wave)),
    }
    show("30 s of audio", took)
    expected = plain(theirs, patches).mean(dim=0)
    for name, logits in (("ours", ours.from_mel(mel)), ("ours, bfloat16", coarse())):
        print(f"  {name}: probabilities differ from the port's by at most {(logits.sigmoid()[0] - expected).abs().max():.1e}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--wheel")
    main(**vars(parser.parse_args()))
