"""Tempo: the length changes by the factor, the pitch does not."""

import numpy as np
import pytest

from kokoro_server.audio.samples import SAMPLE_RATE
from kokoro_server.audio.time_stretch import change_tempo


@pytest.mark.parametrize("factor", [0.17, 0.5, 0.8, 1.0, 1.5, 2.0, 2.67])
def test_the_length_changes_and_the_pitch_stays(factor: float) -> None:
    times = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    samples = (0.5 * np.sin(2 * np.pi * 220 * times)).astype(np.float32)
    changed = change_tempo(samples, factor)
    assert len(samples) / len(changed) == pytest.approx(factor, rel=0.03)
    middle = changed[len(changed) // 4 : 3 * len(changed) // 4]
    pitch = np.abs(np.fft.rfft(middle)).argmax() * SAMPLE_RATE / len(middle)
    assert pitch == pytest.approx(220, rel=0.02)
    assert changed.dtype == np.float32 and np.abs(changed).max() <= 0.75


def test_nothing_stays_nothing() -> None:
    assert len(change_tempo(np.zeros(0, np.float32), 2.0)) == 0
