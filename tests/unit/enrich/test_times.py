"""French time expressions mean what a reader of that day's paper takes them to mean."""

import time
from datetime import UTC, date, datetime

import pytest

from pipeline.enrich.time_words import WEEKDAYS
from pipeline.enrich.times import Anchor, find_times, read_times
from tests.unit.enrich.examples import article

FRIDAY = Anchor(date(2023, 4, 21), "day")

EXPRESSIONS = [
    # absolute
    ("le 20 avril 2023 à Kiev", "20 avril 2023", "2023-04-20", "2023-04-21", "day"),
    ("samedi 17 novembre 2018", "samedi 17 novembre 2018", "2018-11-17", "2018-11-18", "day"),
    ("PARIS, 7 déc. 2023 (AFP)", "7 déc. 2023", "2023-12-07", "2023-12-08", "day"),
    ("le 1er mai 2020", "1er mai 2020", "2020-05-01", "2020-05-02", "day"),
    ("le 29 février 2024", "29 février 2024", "2024-02-29", "2024-03-01", "day"),
    ("signé le 03/11/2021", "03/11/2021", "2021-11-03", "2021-11-04", "day"),
    ("l'invasion russe de février 2022", "février 2022", "2022-02-01", "2022-03-01", "month"),
    ("mi-août 2021", "mi-août 2021", "2021-08-11", "2021-08-21", "range"),
    ("en 2014", "2014", "2014-01-01", "2015-01-01", "year"),
    ("les attentats de 2015", "2015", "2015-01-01", "2016-01-01", "year"),
    ("entre 2014 et 2018", "entre 2014 et 2018", "2014-01-01", "2019-01-01", "range"),
    ("la guerre (1950-1953)", "1950-1953", "1950-01-01", "1954-01-01", "range"),
    ("dans les années 1990", "années 1990", "1990-01-01", "2000-01-01", "decade"),
    ("à l'été 2016", "l'été 2016", "2016-06-20", "2016-09-22", "season"),
    ("au printemps 2019", "au printemps 2019", "2019-03-20", "2019-06-21", "season"),
    ("au premier trimestre 2023", "premier trimestre 2023", "2023-01-01", "2023-04-01", "quarter"),
    ("à Noël 2016", "Noël 2016", "2016-12-25", "2016-12-26", "day"),
    ("fin 2022", "fin 2022", "2022-09-01", "2023-01-01", "range"),
    ("mi-2022", "mi-2022", "2022-05-01", "2022-09-01", "range"),
    ("au second semestre 2022", "second semestre 2022", "2022-07-01", "2023-01-01", "range"),
    ("au XIXe siècle", "XIXe siècle", "1801-01-01", "1901-01-01", "range"),
    ("le 14-Juillet 2016", "14-Juillet 2016", "2016-07-14", "2016-07-15", "day"),
    ("les attentats de 2015 dans la capitale", "2015", "2015-01-01", "2016-01-01", "year"),
    ("de 2015 à 2017", "de 2015 à 2017", "2015-01-01", "2018-01-01", "range"),
    # the weekday, back by default, ahead with a future verb
    ("sont réunis vendredi en Allemagne", "vendredi", "2023-04-21", "2023-04-22", "day"),
    ("s'est entretenu jeudi avec lui", "jeudi", "2023-04-20", "2023-04-21", "day"),
    ("Lundi, ils ont défilé", "Lundi", "2023-04-17", "2023-04-18", "day"),
    ("a été arrêté mardi soir", "mardi soir", "2023-04-18", "2023-04-19", "day"),
    ("il se rendra mardi à Paris", "mardi", "2023-04-25", "2023-04-26", "day"),
    ("le ministre doit rencontrer lundi son homologue", "lundi", "2023-04-24", "2023-04-25", "day"),
    ("le sommet aura lieu mardi à Bruxelles", "mardi", "2023-04-25", "2023-04-26", "day"),
    ("la conférence se conclura mardi", "mardi", "2023-04-25", "2023-04-26", "day"),
    ("Convoqué mardi au tribunal", "mardi", "2023-04-25", "2023-04-26", "day"),
    ("hospitalisé depuis lundi, il sera entendu", "depuis lundi", "2023-04-17", "2023-04-22", "range"),
    ("vendredi dernier", "vendredi dernier", "2023-04-14", "2023-04-15", "day"),
    ("mardi prochain", "mardi prochain", "2023-04-25", "2023-04-26", "day"),
    ("ont débrayé lundi et mardi", "lundi et mardi", "2023-04-17", "2023-04-19", "range"),
    (
        "Kiev visée dans la nuit de jeudi à vendredi",
        "dans la nuit de jeudi à vendredi",
        "2023-04-20",
        "2023-04-22",
        "range",
    ),
    # days near
    ("hier soir", "hier soir", "2023-04-20", "2023-04-21", "day"),
    ("avant-hier", "avant-hier", "2023-04-19", "2023-04-20", "day"),
    ("aujourd’hui", "aujourd’hui", "2023-04-21", "2023-04-22", "day"),
    ("demain", "demain", "2023-04-22", "2023-04-23", "day"),
    ("ce matin", "ce matin", "2023-04-21", "2023-04-22", "day"),
    # dates without a year
    ("réuni le 20 avril", "20 avril", "2023-04-20", "2023-04-21", "day"),
    ("a été élu le 3 décembre", "3 décembre", "2022-12-03", "2022-12-04", "day"),
    ("se tiendra le 3 décembre", "3 décembre", "2023-12-03", "2023-12-04", "day"),
    ("le 22 mars dernier", "22 mars dernier", "2023-03-22", "2023-03-23", "day"),
    ("réunis les 7 et 8 février", "les 7 et 8 février", "2023-02-07", "2023-02-09", "range"),
    ("du 28 mars au 3 avril", "du 28 mars au 3 avril", "2023-03-28", "2023-04-04", "range"),
    ("arrêté jeudi 13", "jeudi 13", "2023-04-13", "2023-04-14", "day"),
    ("se réunira lundi 15", "lundi 15", "2023-05-15", "2023-05-16", "day"),
    ("à la Toussaint", "Toussaint", "2022-11-01", "2022-11-02", "day"),
    ("les 18, 19 et 20 avril", "les 18, 19 et 20 avril", "2023-04-18", "2023-04-21", "range"),
    ("Hier, jeudi 20 avril, il a plu", "Hier, jeudi 20 avril", "2023-04-20", "2023-04-21", "day"),
    ("fermé de mardi à jeudi, a annoncé la mairie", "de mardi à jeudi", "2023-04-18", "2023-04-21", "range"),
    ("ils seront reçus lundi, mardi et mercredi", "lundi, mardi et mercredi", "2023-04-24", "2023-04-27", "range"),
    ("Mort le 16 avril, il sera enterré", "16 avril", "2023-04-16", "2023-04-17", "day"),
    ("Condamné mardi à six ans, il fera appel", "mardi", "2023-04-18", "2023-04-19", "day"),
    ("Le procès est renvoyé au 6 octobre", "6 octobre", "2023-10-06", "2023-10-07", "day"),
    ("ont appelé à une grève le 10 mai", "10 mai", "2023-05-10", "2023-05-11", "day"),
    ("Samedi, il rencontrait les élus", "Samedi", "2023-04-15", "2023-04-16", "day"),
    ("L'annonce, mardi, de la fermeture", "mardi", "2023-04-18", "2023-04-19", "day"),
    # weeks, months, years
    ("au début du mois prochain", "début du mois prochain", "2023-05-01", "2023-05-11", "range"),
    ("à la fin de l'année dernière", "fin de l'année dernière", "2022-09-01", "2023-01-01", "range"),
    ("à la fin du mois d'août", "fin du mois d'août", "2022-08-21", "2022-09-01", "range"),
    ("avant la fin de l'année", "avant la fin de l'année", "2023-04-21", "2024-01-01", "range"),
    ("avait démissionné en fin d'année", "fin d'année", "2022-09-01", "2023-01-01", "range"),
    ("fermé depuis le mois de juin", "depuis le mois de juin", "2022-06-01", "2023-04-22", "range"),
    ("en fin d'année", "fin d'année", "2023-09-01", "2024-01-01", "range"),
    ("au début du mois", "début du mois", "2023-04-01", "2023-04-11", "range"),
    ("cette semaine", "cette semaine", "2023-04-17", "2023-04-24", "week"),
    ("la semaine dernière", "la semaine dernière", "2023-04-10", "2023-04-17", "week"),
    ("la semaine prochaine", "la semaine prochaine", "2023-04-24", "2023-05-01", "week"),
    ("le week-end dernier", "le week-end dernier", "2023-04-15", "2023-04-17", "range"),
    ("ce mois-ci", "ce mois-ci", "2023-04-01", "2023-05-01", "month"),
    ("le mois dernier", "le mois dernier", "2023-03-01", "2023-04-01", "month"),
    ("a été signé en mars", "mars", "2023-03-01", "2023-04-01", "month"),
    ("entrera en vigueur en mars", "mars", "2024-03-01", "2024-04-01", "month"),
    ("en décembre dernier", "décembre dernier", "2022-12-01", "2023-01-01", "month"),
    ("fin mars", "fin mars", "2023-03-21", "2023-04-01", "range"),
    ("l'an dernier", "l'an dernier", "2022-01-01", "2023-01-01", "year"),
    ("l’année prochaine", "l’année prochaine", "2024-01-01", "2025-01-01", "year"),
    ("cette année", "cette année", "2023-01-01", "2024-01-01", "year"),
    # counted from today
    ("il y a une semaine", "il y a une semaine", "2023-04-14", "2023-04-15", "day"),
    ("il y a trois jours", "il y a trois jours", "2023-04-18", "2023-04-19", "day"),
    ("il y a vingt ans", "il y a vingt ans", "2003-01-01", "2004-01-01", "year"),
    ("il y a près de dix ans", "il y a près de dix ans", "2013-01-01", "2014-01-01", "year"),
    ("ces trois derniers jours", "ces trois derniers jours", "2023-04-18", "2023-04-22", "range"),
    ("dans deux mois", "dans deux mois", "2023-06-01", "2023-07-01", "month"),
    # ranges that a preposition makes
    ("livrés depuis fin mars", "depuis fin mars", "2023-03-21", "2023-04-22", "range"),
    ("bloquée depuis trois semaines", "depuis trois semaines", "2023-03-31", "2023-04-22", "range"),
    ("depuis 2014", "depuis 2014", "2014-01-01", "2023-04-22", "range"),
    ('possible "avant l\'été"', "avant l'été", "2023-04-21", "2023-06-21", "range"),
    ("d'ici à juillet", "d'ici à juillet", "2023-04-21", "2023-08-01", "range"),
    ("valable jusqu'au 3 août", "jusqu'au 3 août", "2023-04-21", "2023-08-04", "range"),
    # seasons
    ("l'hiver dernier", "hiver dernier", "2022-12-21", "2023-03-20", "season"),
    ("cet hiver", "cet hiver", "2022-12-21", "2023-03-20", "season"),
    ("l'été prochain", "été prochain", "2023-06-21", "2023-09-23", "season"),
]


@pytest.mark.parametrize(
    ("sentence", "text", "from_", "to", "granularity"), EXPRESSIONS, ids=[row[0] for row in EXPRESSIONS]
)
def test_an_expression_means_this_interval_on_friday_21_april_2023(
    sentence: str, text: str, from_: str, to: str, granularity: str
) -> None:
    [found] = read_times(sentence, FRIDAY)
    assert sentence[found.start : found.end] == text
    assert (*found.interval.iso(), found.interval.granularity) == (from_, to, granularity)


@pytest.mark.parametrize(
    "sentence",
    [
        "depuis des années",
        "de 2000 soldats",
        "une marche de 48 heures",
        "le 31 juin",
        "la planète Mars est loin",
        "tous les lundis",
        "au lendemain de l'attaque",
        "un effectif de 1500 hommes",
        "un plan pour 2000 salariés",
        "entre 1500 et 2000 manifestants",
        "près de 1500, selon la police",
        "un village (1900 habitants)",
        "un réseau de 1800 km",
        "vieille de 2000 ans",
        "les fêtes de fin d'année",
        "Ce matin-là, il pleuvait",
        "au siècle dernier",
        "Le gouvernement veille à l'application du texte",
        "un succès sans lendemain",
        "à l'aube d'une ère nouvelle",
    ],
)
def test_what_is_no_date_is_left_alone(sentence: str) -> None:
    assert [sentence[each.start : each.end] for each in read_times(sentence, FRIDAY)] == []


def test_without_a_publication_date_only_absolute_expressions_resolve() -> None:
    sentence = "Réunis vendredi puis le 3 mai, ils s'étaient vus le 20 avril 2023 et en 2014, la veille de Noël."
    found = read_times(sentence, None)
    assert [sentence[each.start : each.end] for each in found] == ["20 avril 2023", "2014"]


def test_a_date_known_by_its_month_resolves_no_weekday_but_the_year_of_a_day() -> None:
    sentence = "Réunis vendredi, ils avaient signé le 20 mars, un an après la trêve de l'an dernier."
    found = read_times(sentence, Anchor(date(2023, 4, 1), "month"))
    assert [(sentence[each.start : each.end], each.interval.iso()[0]) for each in found] == [
        ("20 mars", "2023-03-20"),
        ("l'an dernier", "2022-01-01"),
    ]


def test_a_clock_time_belongs_to_the_day_beside_it() -> None:
    sentence = "Ils se réuniront mardi à 14h30, puis on verra à 18 heures si cela dure, 48 heures de suite."
    found = read_times(sentence, FRIDAY)
    assert [(sentence[each.start : each.end], each.interval.iso()) for each in found] == [
        ("mardi", ("2023-04-25", "2023-04-26")),
        ("14h30", ("2023-04-25T14:30", "2023-04-25T14:31")),
    ]


def test_la_veille_is_the_day_before_the_day_named_last() -> None:
    read = find_times(article("Le président est mort mardi. La veille, il recevait encore."), FRIDAY)
    assert [(each.text, each.from_) for each in read] == [
        ("mardi", "2023-04-18"),
        ("La veille", "2023-04-17"),
    ]


@pytest.mark.parametrize(
    ("later", "from_", "to"),
    [
        ("Trois jours plus tard, il partait.", "2022-03-06", "2022-03-07"),
        ("L'année suivante, il partait.", "2023-01-01", "2024-01-01"),
        ("La semaine précédente, il partait.", "2022-02-21", "2022-02-28"),
        ("Deux mois auparavant, il partait.", "2022-01-01", "2022-02-01"),
    ],
)
def test_what_leans_on_a_day_told_before_is_counted_from_there(later: str, from_: str, to: str) -> None:
    [_, found] = find_times(article(f"Elle est morte le 3 mars 2022. {later}"), FRIDAY)
    assert (found.from_, found.to) == (from_, to)


def test_the_day_of_an_article_is_the_newsrooms() -> None:
    late = Anchor.of(datetime(2023, 4, 20, 22, 30, tzinfo=UTC), "instant")
    assert late is not None
    assert late.day == date(2023, 4, 21)
    assert Anchor.of(None, None) is None


def test_no_weekday_and_number_on_any_side_ends_the_reading() -> None:
    for day in (date(2024, 2, 29), date(2025, 3, 3), date(2024, 9, 9)):
        for weekday in WEEKDAYS:
            for number in range(1, 32):
                for sentence in (f"Il est venu {weekday} {number}.", f"Il viendra {weekday} {number}."):
                    for found in read_times(sentence, Anchor(day, "day")):
                        assert abs((found.interval.start - day).days) <= 366


@pytest.mark.parametrize("fragment", ["lundi à 14h ", "lundi la veille ", "de 2015 à ", "depuis près de ", "XX "])
def test_what_repeats_is_read_in_linear_time(fragment: str) -> None:
    def seconds(times: int) -> float:
        began = time.process_time()
        read_times(fragment * times, FRIDAY)
        return time.process_time() - began

    seconds(10)
    # Four times the text takes sixteen times as long where each expression looks at every other.
    assert seconds(4_000) < 8 * max(0.02, seconds(1_000))


def test_a_sentence_of_a_hundred_thousand_characters_is_read_in_linear_time() -> None:
    sentence = "Le 20 avril 2023, vendredi, ils ont dit qu'ils iront à Paris en mars, " * 1400
    found = read_times(sentence, FRIDAY)
    assert len(found) == 3 * 1400
    assert all(sentence[each.start : each.end] in ("20 avril 2023", "vendredi", "mars") for each in found)
