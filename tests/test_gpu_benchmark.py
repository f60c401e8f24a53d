"""The benchmark for GPUs, with small images on the CPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_benchmark_trains_and_writes_its_page(tmp_path: Path) -> None:
    page, lines = tmp_path / "results.md", tmp_path / "results.jsonl"
    script = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--smoke", "--samples", "256"]
    networks = ["--network", "lenet", "--minutes", "5"]
    done = subprocess.run(
        [*script, *networks, "--page", str(page), "--json", str(lines)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (result,) = [json.loads(line) for line in lines.read_text().splitlines()]
    (epoch,) = result["epochs"]
    assert result["device"] == "cpu" and result["recipe"]["batch_size"] == 256 and not result["error"]
    text = page.read_text()
    rate = f"{epoch['examples_per_s']:,.0f}"
    assert [line for line in text.splitlines() if line.startswith("| LeNet | ") and rate in line]
    assert [line for line in text.splitlines() if line.startswith(f"| LeNet | 1 | {epoch['loss']:.3f} |")]
