"""The events of the article that the project began with, as the model that ships reads them."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.fixtures.seeds import SEEDS


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    (first,) = (SEEDS / "articles").glob("000_*.txt")
    ran = subprocess.run(
        [sys.executable, "-m", "pipeline.cli", "extract", str(first)], capture_output=True, text=True, check=True
    )
    found: list[dict[str, Any]] = json.loads(ran.stdout)["events"]
    return found


def countries(participants: list[dict[str, Any]]) -> set[str]:
    return {each["country"] for each in participants}


def told(events: list[dict[str, Any]], type_: str, words: str) -> dict[str, Any]:
    """Return the one event of a type that the sentence with these words reports."""
    (event,) = (e for e in events if e["type"] == type_ and words in e["sentence"]["text"])
    return event


def test_the_allies_meet_in_ramstein_on_the_day_of_the_article(events: list[dict[str, Any]]) -> None:
    met = told(events, "CONSULT", "base américaine de Ramstein")
    assert met["mode"] == "multilateral"
    assert "USA" in countries(met["actors"])
    assert any("Lloyd Austin" in actor["text"] for actor in met["actors"])
    assert (met["place"]["name"], met["place"]["country"]) == ("Ramstein", "DEU")
    assert met["date"]["from"] == "2023-04-21"


def test_the_lead_tells_the_same_meeting_with_the_allies_in_it(events: list[dict[str, Any]]) -> None:
    lead, met = (told(events, "CONSULT", words) for words in ("sont réunis vendredi", "base américaine de Ramstein"))
    assert "alliés de l'Ukraine" in [actor["text"] for actor in lead["actors"]]
    assert (lead["place"]["country"], lead["date"]["from"]) == ("DEU", "2023-04-21")
    assert met["same_as"] == lead["event_id"]


def test_stoltenberg_visits_kyiv_on_the_twentieth(events: list[dict[str, Any]]) -> None:
    visit = told(events, "CONSULT", "La visite de Jens Stoltenberg")
    assert visit["mode"] == "visit"
    assert visit["actors"][0]["text"] == "Jens Stoltenberg"
    assert (visit["place"]["country"], visit["date"]["from"]) == ("UKR", "2023-04-20")


def test_russian_drones_attack_kyiv_in_the_night(events: list[dict[str, Any]]) -> None:
    attack = told(events, "ASSAULT", "attaque de drones russes")
    assert (attack["mode"], countries(attack["actors"])) == ("drone", {"RUS"})
    assert [(each["text"], each["country"]) for each in attack["recipients"]] == [("Kiev", "UKR")]
    assert (attack["place"]["name"], attack["place"]["country"]) == ("Kiev", "UKR")
    assert (attack["date"]["from"], attack["date"]["to"]) == ("2023-04-20", "2023-04-22")


def test_slovakia_and_poland_deliver_aircraft_to_ukraine(events: list[dict[str, Any]]) -> None:
    delivery = told(events, "AID", "Mig-29")
    assert delivery["trigger"]["text"] == "livrer"
    assert countries(delivery["actors"]) == {"SVK", "POL"}
    assert countries(delivery["recipients"]) == {"UKR"}


def test_the_kremlin_accuses(events: list[dict[str, Any]]) -> None:
    assert "RUS" in countries(told(events, "ACCUSE", "ulcère le Kremlin")["actors"])


def test_kyiv_asks_nato(events: list[dict[str, Any]]) -> None:
    asked = [e for e in events if e["type"] == "REQUEST" and "UKR" in countries(e["actors"])]
    assert "Otan" in [each["text"] for event in asked for each in event["recipients"]]


@pytest.mark.parametrize("background", ["frapper", "invasion", "ont commencé", "leur propre"])
def test_a_purpose_a_war_named_for_its_time_a_beginning_and_whose_it_is_are_no_events(
    events: list[dict[str, Any]], background: str
) -> None:
    assert background not in [event["trigger"]["text"] for event in events]


@pytest.mark.parametrize(
    "words",
    [
        "plus prudents que Kiev",
        "au coeur des discussions du jour",
        "bataille d'attrition",
        "Carte de la ligne de front",
        "dispose de tout ce dont",
    ],
)
def test_what_only_explains_is_no_event(events: list[dict[str, Any]], words: str) -> None:
    assert [event for event in events if words in event["sentence"]["text"]] == []
