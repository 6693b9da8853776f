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


def of(events: list[dict[str, Any]], type_: str, trigger: str) -> dict[str, Any]:
    (event,) = (e for e in events if e["type"] == type_ and e["trigger"]["text"] == trigger)
    return event


def test_the_allies_meet_in_ramstein_on_the_day_of_the_article(events: list[dict[str, Any]]) -> None:
    met = of(events, "CONSULT", "réunion")
    assert met["mode"] == "multilateral"
    assert "USA" in countries(met["actors"])
    assert any("Lloyd Austin" in actor["text"] for actor in met["actors"])
    assert (met["place"]["name"], met["place"]["country"]) == ("Ramstein", "DEU")
    assert met["date"]["from"] == "2023-04-21"


def test_stoltenberg_visits_kyiv_on_the_twentieth(events: list[dict[str, Any]]) -> None:
    visit = of(events, "CONSULT", "visite")
    assert visit["mode"] == "visit"
    assert [actor["text"] for actor in visit["actors"]] == ["Jens Stoltenberg"]
    assert (visit["place"]["country"], visit["date"]["from"]) == ("UKR", "2023-04-20")


def test_russian_drones_attack_kyiv_in_the_night(events: list[dict[str, Any]]) -> None:
    attack = of(events, "ASSAULT", "attaque")
    assert (attack["mode"], countries(attack["actors"])) == ("drone", {"RUS"})
    assert [(each["text"], each["country"]) for each in attack["recipients"]] == [("Kiev", "UKR")]
    assert (attack["place"]["name"], attack["place"]["country"]) == ("Kiev", "UKR")
    assert (attack["date"]["from"], attack["date"]["to"]) == ("2023-04-20", "2023-04-22")


def test_slovakia_and_poland_deliver_aircraft_to_ukraine(events: list[dict[str, Any]]) -> None:
    delivery = of(events, "AID", "livrer")
    assert countries(delivery["actors"]) == {"SVK", "POL"}
    assert countries(delivery["recipients"]) == {"UKR"}


def test_the_kremlin_accuses_and_kyiv_asks(events: list[dict[str, Any]]) -> None:
    assert countries(of(events, "ACCUSE", "a fustigé")["actors"]) == {"RUS"}
    request = of(events, "REQUEST", "réclame")
    assert countries(request["actors"]) == {"UKR"}
    assert [each["text"] for each in request["recipients"]] == ["Otan"]


@pytest.mark.parametrize("background", ["frapper", "invasion", "ont commencé"])
def test_a_purpose_a_war_named_for_its_time_and_a_beginning_are_no_events(
    events: list[dict[str, Any]], background: str
) -> None:
    assert background not in [event["trigger"]["text"] for event in events]
