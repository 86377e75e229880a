"""Answers of the model's own with statements of every kind: `python3 tests/model/run.py make`.

Sums of two credentials, hidden values compared, sets; with an aggregate and without one. Ranges are narrow, so that the
model stays quick.
"""

from fixed import derived
from make import Credential, context, made, pseudonym, statement

TEXTS = "https://register.larkfield.example/text/"
PERSON = {"pointer": "/person", "enc": "str", "unit": TEXTS + "person"}
SOURCE = {"pointer": "/source", "enc": "str", "unit": TEXTS + "source"}
WAGE = {"pointer": "/wage", "enc": "pence", "unit": "GBP-pence", "b": 32, "lo": 100, "hi": 20_100}
HOURS = {"pointer": "/hours", "enc": "int", "unit": "hours", "b": 32, "lo": 0, "hi": 80}
ROOMS = {"pointer": "/rooms", "enc": "int", "unit": "rooms", "b": 32, "lo": 1, "hi": 40}
WARD = {"pointer": "/ward", "enc": "code", "unit": "urn:larkfield:wards:4", "b": 32, "lo": 0, "hi": 99}
DWELLING = "https://larkfield.example/types/dwelling/1/zk"
PAY = "https://payers.example/types/pay/1/zk"


def home(query="q0", ward=57, rooms=4, linked=False):
    values = [(PERSON, "resident-0042"), (WARD, ward), (ROOMS, rooms)]
    return Credential("larkfield", query, DWELLING, values, linked=linked)


def payer(name, query, wage, hours):
    values = [(PERSON, "resident-0042"), (SOURCE, f"{name}/2026-10"), (WAGE, wage), (HOURS, hours)]
    return Credential(name, query, PAY, values, issuer_key=name == "payer-two")


def combination(name, terms, predicate):
    """`terms` are (coefficient, query, pointer)."""
    named = [{"query": query, "pointer": pointer, "coeff": coeff} for coeff, query, pointer in terms]
    return {"id": name, "terms": named, "predicate": predicate}


def compared(name, pointer, one, other, op="eq"):
    return combination(name, [(1, one, pointer), (-1, other, pointer)], {op: 0})


def apart(*values):
    return [[value, value] for value in values]


def story(name, copies, asked, **changes):
    return name, context(name, copies, asked, **changes), asked, copies


def total():
    """Two payers' total, and a weighted one of the same: each end of a term's range is shown once."""
    copies = [payer("payer-one", "q1", 12_345, 35), payer("payer-two", "q2", 567, 4)]
    asked = [
        combination("total", [(1, "q1", "/wage"), (1, "q2", "/wage")], {"le": 30_000}),
        combination("weighted", [(3, "q1", "/wage"), (2, "q2", "/wage")], {"le": 40_000}),
    ]
    return story("total", copies, asked)


def twice():
    """A sum of one term, within both bounds and at one: both ends of the term's range are shown."""
    asked = [combination("twice", [(2, "q1", "/hours")], {"in": {"lo": 10, "hi": 90}})]
    return story("twice", [payer("payer-one", "q1", 12_345, 45)], asked)


def persons():
    """One person, two sources; hidden numbers compared too. No aggregate."""
    copies = [home(), payer("payer-one", "q1", 12_345, 35), payer("payer-two", "q2", 567, 35)]
    asked = [
        compared("person-1", "/person", "q0", "q1"),
        compared("person-2", "/person", "q1", "q2"),
        compared("source", "/source", "q1", "q2", "ne"),
        compared("hours", "/hours", "q1", "q2"),
        compared("wages", "/wage", "q2", "q1", "ne"),
    ]
    return story("persons", copies, asked)


def lists():
    """Public values and sets, one element at a time: one of a few, one of many, not equal. No aggregate."""
    asked = [
        statement("four", "q0", "/rooms", {"eq": 4}),
        statement("few", "q0", "/ward", {"member": [[5, 6], [57, 57]]}),
        statement("not-forty", "q0", "/rooms", {"ne": 40}),
        statement("many", "q0", "/ward", {"member": apart(*range(1, 25, 2), 57)}),
        statement("outside", "q0", "/ward", {"not_member": [[3, 4], [58, 58]]}),
    ]
    return story("lists", [home()], asked)


def intervals():
    """Within one of two intervals, at the end of one; and in the last of the gaps that a set leaves."""
    asked = [
        statement("within", "q0", "/ward", {"member": [[10, 29], [40, 57]]}),
        statement("gap", "q0", "/ward", {"not_member": [[0, 9], [11, 12], [30, 39]]}),
    ]
    return story("intervals", [home()], asked)


def mixture():
    """Everything in one answer, whose entries and sub-proofs stand in different orders; every optional item."""
    copies = [home(ward=20, linked=True), payer("payer-one", "q1", 12_345, 35), payer("payer-two", "q2", 567, 4), home("q3")]
    asked = [
        combination("less", [(-1, "q2", "/wage"), (1, "q1", "/wage")], {"ge": 10_000}),
        compared("person-1", "/person", "q0", "q1"),
        statement("ward", "q0", "/ward", {"member": [[10, 29], [40, 57]]}),
        combination("total", [(1, "q2", "/wage"), (1, "q1", "/wage")], {"le": 30_000}),
        compared("source", "/source", "q2", "q1", "ne"),
        compared("person-2", "/person", "q1", "q2"),
        statement("rooms", "q0", "/rooms", {"not_member": apart(2, 9)}),
        statement("four", "q0", "/rooms", {"member": apart(4, 6)}),
        statement("wards", "q0", "/ward", {"member": apart(*range(2, 40, 3))}),
    ]
    given = {
        "transactions": [derived("mixture-transaction").hex()],
        "pseudonym": pseudonym("2026-11"),
        "permission_key": derived("permission").hex(),
    }
    tables = [{"id": "larkfield-wards", "version": 4, "hash": derived("wards-4").hex()}]
    changes = {"reply_to": {"origin": "https://buses.example"}, "encryption_key": None, "tables": tables}
    return story("mixture", copies, asked, authorisation=given, **changes)


STORIES = (total, twice, persons, lists, intervals, mixture)


def everything():
    return {"profile": 1, "answers": [made(*told()) for told in STORIES]}
