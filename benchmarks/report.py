"""Format the results of a run as a table, a plot and JSON."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.results import (
    Results,
    Row,
    compute_audio_rate,
    compute_rows,
    count_errors,
    interpolate_percentile,
    select_valid,
)

NOISE_CORES = 0.25  # cores used by other work; above it the times are unreliable


def format_results(results: Results) -> str:
    """Format one line per measure; in brackets how many times better the first target is."""
    lines = [list(_format_cells(row, results.targets)) for row in compute_rows(results)]
    head = ["", *results.targets]
    widths = [max(len(line[column]) for line in [head, *lines]) for column in range(len(head))]
    text = [_format_line(line, widths) for line in [head, *lines]]
    return "\n".join([*text, *_list_remarks(results)])


def save_json(results: Results, path: Path) -> None:
    """Write every sample and row as JSON, atomically."""
    found = {**asdict(results), "rows": [asdict(row) for row in compute_rows(results)], "errors": count_errors(results)}
    partial = path.with_name(path.name + ".part")
    partial.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
    partial.replace(path)


def save_plot(results: Results, path: Path) -> None:
    """Plot time to first audio and throughput over the number of clients. Needs matplotlib."""
    from matplotlib.figure import Figure  # optional: only a plot needs it

    figure = Figure(figsize=(10, 4), layout="constrained")
    first, throughput = figure.subplots(1, 2)
    for target in dict.fromkeys(load.target for load in results.loads):
        loads = [load for load in results.loads if load.target == target]
        clients = [load.clients for load in loads]
        firsts = [
            interpolate_percentile([sample.first for sample in select_valid(load.samples)], 0.5) for load in loads
        ]
        first.plot(clients, firsts, marker="o", label=target)
        throughput.plot(clients, [compute_audio_rate(load) for load in loads], marker="o", label=target)
    first.set(title="Time to first audio (median)", ylabel="seconds")
    throughput.set(title="Throughput", ylabel="seconds of audio a second")
    levels = sorted({load.clients for load in results.loads})
    for axes in (first, throughput):
        axes.set(xlabel="clients", xticks=levels, ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)


def _format_cells(row: Row, targets: Sequence[str]) -> Iterator[str]:
    yield row.label
    for target in targets:
        value = row.values.get(target, math.nan)
        gain = f" ({row.gains[target]:.2f}×)" if target in row.gains else ""
        yield "-" if math.isnan(value) else f"{value:.{row.digits}f}{gain}"


def _format_line(cells: list[str], widths: list[int]) -> str:
    first, *rest = (
        cell.ljust(width) if not at else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join([first, *rest])


def _list_remarks(results: Results) -> Iterator[str]:
    yield "(in brackets: how many times better the first column is; medians of the rounds' own ratios)"
    if results.overhead is not None:
        yield f"server overhead beyond the engine: {1000 * results.overhead:.1f} ms a request"
    noisy = [sample for sample in results.samples if sample.others > NOISE_CORES]
    yield f"other work took more than {NOISE_CORES} cores beside {len(noisy)} of {len(results.samples)} samples"
    for line, count in count_errors(results).items():
        yield f"! {count} × {line}"
