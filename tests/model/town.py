"""Whole answers of the model's own over several credentials, for another implementation to accept.

Two payers and a council, a service with five policies: somebody's pay and home, by one of two ways; two people of one
household; two statements of one payer; a payment, and a reminder, that somebody permits beside an answer. Every
operation, sums, lists with gaps and of spans.
"""

import base64

import certificate
import es256
import exchange
import permission
import policy
import request
from encoding import b64u, sha256
from fixed import derived, scalars
from policy import FIXED

NOW = 1796040000  # 2026-11-30T12:00:00Z
DAY = 86400
HOST = "larkfield.example"
REGISTRAR, SERVICE, PURPOSE = (f"https://{at}" for at in (f"register.{HOST}", f"help.{HOST}", f"help.{HOST}/purpose"))
COUNCIL, ONE, TWO = (f"https://{who}.{HOST}" for who in ("council", "payer-one", "payer-two"))
WARDS, FAR, PLOTS, PENSION = (f"{REGISTRAR}/lists/{name}" for name in ("wards", "far", "plots", "pension-age"))
HOME, PAY = (f"https://{HOST}/types/{name}/1" for name in ("home", "pay"))
VALIDITY = ("260101000000Z", "361231235959Z")
TIMES = {"iss": REGISTRAR, "iat": NOW - 3600, "exp": NOW + 6 * DAY, "reg_version": 9}


def words(text):
    return {"en": text, "cy": text}


def key(who):
    return es256.Key(derived(f"town/{who}"))


class Signer:
    """A key with a certificate of the town's anchor."""

    def __init__(self, who, uri):
        self.iss, self.key = uri, key(who)
        self.leaf = certificate.leaf("Larkfield anchor", key("anchor"), who, self.key, VALIDITY, uri)


# --- types and lists ----------------------------------------------------------------------------------------------


def text(pointer, pattern):
    return {"pointer": pointer, "column": "c", "kind": "text", "answer": ["prove"], "pattern": pattern,
            "unit": f"https://{HOST}/text{pointer}", "label": words("a number of yours")}


def number(pointer, kind, lo, hi, **more):
    return {"pointer": pointer, "column": "c", "kind": kind, "answer": ["prove"], "lo": str(lo), "hi": str(hi),
            "label": words("a number"), **more}


TYPES = [
    {"id": "home", "vct": HOME, "name": words("home"), "ttl_days": 60, "attributes": [
        text("/person", "AA-9999"), text("/household", "A9999"),
        {"pointer": "/name", "column": "c", "kind": "text", "answer": ["show"], "label": words("your name")},
        number("/born", "date", "1880-01-01", "2050-12-31"), number("/ward", "code", 0, 99, codes=f"{WARDS}/2"),
        number("/plot", "number", 0, 60_000, unit="plots"), number("/rooms", "number", 1, 40, unit="rooms"),
        number("/adults", "number", 1, 20, unit="people"),
    ]},
    {"id": "pay", "vct": PAY, "name": words("pay of a month"), "ttl_days": 60, "status": True, "period": "month",
     "attributes": [text("/person", "AA-9999"), text("/source", "AA-9999-A"), number("/wage", "money", 100, 20_100),
                    number("/hours", "number", 0, 80, unit="hours")]},
]
LISTS = {
    (WARDS, 2): [{"code": f"W{at}", "index": at, "name": words(f"Ward {at}")} for at in range(2, 36, 3)],
    (FAR, 1): [{"code": f"F{at}", "index": at, "name": words(f"Far {at}")} for at in (*range(40, 80, 2), 81, 82)],
    # The last two touch: the set has one interval for both.
    (PLOTS, 7): [{"lo": str(lo), "hi": str(hi)} for lo, hi in
                 [*((1000 * at, 1000 * at + 499) for at in range(1, 13)), (13_000, 13_499), (13_500, 13_600)]],
    (PENSION, 4): [
        {"from": "1880-01-01", "to": "1960-04-05", "years": 66, "months": 0, "overflow": "last_day"},
        {"from": "1960-04-06", "to": "2050-12-31", "years": 67, "months": 0, "overflow": "last_day"},
    ],
}

# --- policies -----------------------------------------------------------------------------------------------------


def need(name, vct, person, *issuers, **more):
    period = {"period": {"kind": "month", "back": 1}} if vct == PAY else {}
    return {"id": name, "vct": vct + "/zk", "iss": list(issuers), "max_age_days": 60, "person": person,
            "person_at": "/person", **period, **more}


def condition(name, op, *terms, rule=FIXED, **bounds):
    """Terms are "need/attribute", or a coefficient and that."""
    said = []
    for term in terms:
        coeff, place = term if isinstance(term, tuple) else (None, term)
        at, _, attribute = place.partition("/")
        said.append({"need": at, "pointer": "/" + attribute} | ({} if coeff is None else {"coeff": coeff}))
    return {"id": name, "op": op, "rule": rule, "terms": said, **bounds}


def codes(name, version):
    return {"kind": "codes", "id": name, "version": version}


def rules(name, subject, *ways):
    return {"id": name, "version": 3, "purpose": PURPOSE, "subject": subject, "subject_binding": "same_device",
            "other_route": words("Call at the desk."), "ways": list(ways)}


SUPPORT = rules(
    "support", "same_person",
    {"id": "worker", "needs": [need("home", HOME, "me", COUNCIL), need("one", PAY, "me", ONE),
                               need("two", PAY, "me", TWO)],
     "conditions": [
         condition("total", "le", "one/wage", "two/wage", k="30000"),
         condition("hours", "ge", (3, "one/hours"), (-2, "two/hours"), k="100"),
         condition("double", "in", (2, "one/hours"), lo="10", hi="90"),
         condition("grown", "le", "home/born", rule={"kind": "age_at_least", "unit": "years", "n": 18}),
         condition("ward", "member", "home/ward", rule=codes(WARDS, 2)),
         condition("plot", "not_member", "home/plot", rule=codes(PLOTS, 7)),
         condition("other", "ne", "one/hours", (-1, "two/hours"), k="0"),
         condition("rooms", "eq", "home/rooms", k="4"),
     ]},
    {"id": "tenant", "needs": [need("flat", HOME, "me", COUNCIL), need("work", PAY, "me", ONE)],
     "conditions": [
         condition("wage", "in", "work/wage", lo="1000", hi="15000"),
         condition("plot", "member", "flat/plot", rule=codes(PLOTS, 7)),
         condition("ward", "not_member", "flat/ward", rule=codes(FAR, 1)),
         condition("rooms", "ne", "flat/rooms", k="2"),
         condition("young", "ge", "flat/born", rule={"kind": "age_at_most", "unit": "years", "n": 80}),
     ]},
)
MEALS = rules(
    "meals", "same_household",
    {"id": "both", "needs": [need("homea", HOME, "a", COUNCIL), need("paya", PAY, "a", ONE),
                             need("homeb", HOME, "b", COUNCIL), need("payb", PAY, "b", ONE)],
     "conditions": [
         condition("low", "le", "paya/wage", "payb/wage", k="30000"),
         condition("home", "eq", "homea/household", (-1, "homeb/household")),
         condition("two", "eq", "homea/adults", k="2"),
         condition("old", "le", "homea/born", rule={"kind": "table", "id": PENSION, "version": 4}),
     ]},
)
HOURS = rules(
    "hours", "same_person",
    {"id": "twice", "needs": [need("first", PAY, "me", ONE, TWO, source_at="/source"),
                              need("other", PAY, "me", TWO, ONE, source_at="/source")],
     "conditions": [condition("enough", "ge", "first/hours", "other/hours", k="60")]},
)

#: Little pay, and one payment or a reminder beside the answer.
LITTLE = {"id": "little", "needs": [need("mine", PAY, "me", ONE)],
          "conditions": [condition("low", "le", "mine/wage", k="15000")]}
HARDSHIP = rules("hardship", "same_person", LITTLE) | {
    "permission": {"kind": "payment", "for_days": 30, "at_most_pence": 20_000}}
REMINDER = rules("reminder", "same_person", LITTLE) | {
    "permission": {"kind": "action", "for_days": 365, "uses": 3, "action": "remind"}}
#: Pence, payee and reference, by policy.
PAYMENTS = {"hardship": (12_000, "Larkfield Housing Trust", "RENT 0042")}
POLICIES = (SUPPORT, MEALS, HOURS, HARDSHIP, REMINDER)
PERMITTING = {
    "permissions": ["payment", "action"], "actions": [{"id": "remind", "text": words("Remind me by post.")}],
    "record": {"controller": {"id": SERVICE, "name": "Larkfield Help", "address": "1 Market Square, Larkfield",
                              "contact": f"{SERVICE}/contact", "type": "governmental"},
               "notice": f"{SERVICE}/privacy", "storage": words("In Larkfield."), "jurisdiction": "GB-ENG",
               "rights": words("Ask to see what is kept.")},
}

# --- people -------------------------------------------------------------------------------------------------------


def home(issuer, label, person="LF-0042", **changes):
    values = {"/person": person, "/household": "H0001", "/name": "Resident 0042", "/born": "1960-02-29", "/ward": 20,
              "/plot": 700, "/rooms": 4, "/adults": 2} | {f"/{name}": value for name, value in changes.items()}
    return exchange.Copy(label, issuer, TYPES[0], values, NOW, facts_as_of="2026-11-20")


def pay(issuer, label, wage, hours, person="LF-0042", source="A"):
    values = {"/person": person, "/source": f"{person}-{source}", "/wage": wage, "/hours": hours}
    status = {"status_list": {"idx": 41, "uri": f"{issuer.iss}/status/a"}}
    visible = {"facts_as_of": "2026-11-05", "period": "2026-10", "status": status}
    return exchange.Copy(label, issuer, TYPES[1], values, NOW, **visible)


class Town:
    def __init__(self):
        self.service, self.council = Signer("service", SERVICE), Signer("council", COUNCIL)
        self.one, self.two = Signer("payer-one", ONE), Signer("payer-two", TWO)
        self.anchor = certificate.anchor("Larkfield anchor", key("anchor"), VALIDITY)
        self.client_id = "x509_hash:" + b64u(sha256(self.service.leaf))
        self.lists = {(name, version): self.registered("table", sub=name, version=version, rows=rows)
                      for (name, version), rows in LISTS.items()}
        queries = [policy.plan(one, self.tables(), request.london(NOW))[0] for one in POLICIES]
        self.purpose = self.registered(
            "purpose", sub=PURPOSE, version=1, text=words("To help."), basis="public_task", retention_days=30,
            recipients=[words("Nobody else")], other_route=words("Call at the desk."), may_ask=may_ask(queries), **PERMITTING)
        self.entry = self.registered("service", sub=SERVICE, env="test", name=words("Help"),
                                     client_ids=[self.client_id], purposes=[PURPOSE])
        self.trust = {"iss": REGISTRAR, "jwks": {"keys": [{**key("registrar").jwk(), "kid": "registrar-2"}]},
                      "anchors": [base64.b64encode(self.anchor).decode()]}

    def registered(self, typ, **members):
        header = {"alg": "ES256", "typ": f"vouchsafe-{typ}+jwt", "kid": "registrar-2"}
        return key("registrar").jws(header, {**TIMES, **members})

    def tables(self):
        return policy.Tables([(jws, {"sub": name, "version": version, "rows": LISTS[name, version]})
                              for (name, version), jws in self.lists.items()])

    def register(self):
        issuers = [(self.council, HOME), (self.one, PAY), (self.two, PAY)]
        entries = [self.registered("issuer", sub=who.iss, env="test", name=words("Issuer"),
                                   anchors=[b64u(sha256(self.anchor))], types=[vct + "/zk"]) for who, vct in issuers]
        return self.registered("register", entries=[self.entry, self.purpose, *entries, *self.lists.values()])

    def request(self, rules):
        named = [self.lists[one["id"], one["version"]] for one in policy.tables_named(rules)]
        label = f"town/{rules['id']}"
        response = {**es256.Key(derived(f"{label}/response")).jwk(), "kid": "tx-1", "alg": "ECDH-ES", "use": "enc"}
        party = {"client_id": self.client_id, "response_uri": f"{SERVICE}/a/{rules['id']}", "iat": NOW,
                 "nonce": b64u(derived(f"{label}/nonce", 16)), "state": b64u(derived(f"{label}/state", 16)),
                 "encryption_key": response, "authorise": (derived(f"{label}/salt", 16), PAYMENTS.get(rules["id"]))}
        return request.made(party, rules, [self.entry, self.purpose, *named], self.tables(), self.service)

    def stories(self):
        """Name, policy, option, copies by query."""
        return [
            ("worker", SUPPORT, 0, {"home": home(self.council, "worker/home"),
                                    "one": pay(self.one, "worker/one", 12_345, 45),
                                    "two": pay(self.two, "worker/two", 567, 4)}),
            ("tenant", SUPPORT, 1, {"flat": home(self.council, "tenant/home", plot=13_550, ward=80, rooms=1),
                                    "work": pay(self.one, "tenant/pay", 1_000, 80)}),
            ("household", MEALS, 0, {
                "homea": home(self.council, "household/homea"), "paya": pay(self.one, "household/paya", 20_000, 40),
                "homeb": home(self.council, "household/homeb", "LF-0043", born="1990-01-01"),
                "payb": pay(self.one, "household/payb", 10_000, 40, "LF-0043")}),
            ("twice", HOURS, 0, {"first": pay(self.one, "twice/first", 400, 20),
                                 "other": pay(self.one, "twice/other", 500, 40, source="B")}),
            ("grant", HARDSHIP, 0, {"mine": pay(self.one, "grant/pay", 15_000, 20)}),
            ("reminder", REMINDER, 0, {"mine": pay(self.one, "reminder/pay", 100, 0)}),
        ]


def lies(town):
    """Answers that do not hold: name, policy, copies by query."""
    first, again = pay(town.one, "lie/first", 400, 20), pay(town.one, "lie/again", 400, 40)
    return [
        ("two people's pay", HOURS, {"first": first, "other": pay(town.two, "lie/other", 500, 40, "LF-0043", "B")}),
        ("one statement twice", HOURS, {"first": first, "other": again}),
        ("one person as two", MEALS, {
            "homea": home(town.council, "lie/homea"), "paya": pay(town.one, "lie/paya", 20_000, 40),
            "homeb": home(town.council, "lie/homeb"), "payb": pay(town.one, "lie/payb", 200, 40)}),
        ("two households", MEALS, {
            "homea": home(town.council, "lie/homea"), "paya": pay(town.one, "lie/paya", 20_000, 40),
            "homeb": home(town.council, "lie/away", "LF-0043", household="H0002"),
            "payb": pay(town.one, "lie/theirs", 200, 40, "LF-0043")}),
    ]


def may_ask(queries):
    """Just what the policies ask."""
    found = {}
    for query in queries:
        vcts = {one["id"]: one["meta"]["vct_values"][0] for one in query["credentials"]}
        for one in query["statements"]:
            for term in one["terms"]:
                allowed = found.setdefault((vcts[term["query"]], term["pointer"], one["op"]), [])
                allowed += [one["rule"]] if one["rule"] not in allowed else []
        for one in query["credentials"]:
            found.update({(vcts[one["id"]], "/" + claim["path"][0], "show"): [] for claim in one.get("claims", [])})
    return [{"vct": vct, "pointer": at, "how": how, "rules": allowed} for (vct, at, how), allowed in found.items()]


def everything():
    town = Town()
    registrar = request.Registrar(town.trust, NOW)
    requests = {one["id"]: town.request(one) for one in POLICIES}

    def told(name, rules, option, copies, outcome, *prove):
        # The wallet answers what it read, not what the verifier meant.
        asked = request.read(requests[rules["id"]], town.client_id, registrar)
        key = es256.Key(derived(f"town/{name}/permission")) if asked.entry else None
        token = exchange.answered(asked, option, copies, NOW, scalars(f"town/{name}").__next__, *prove, key=key)
        grant = {"grant": permission.grant(asked, key)} if key else {}
        return {"name": name, "request": rules["id"], "vp_token": token, **grant, "outcome": outcome}

    return {"profile": 1, "now": NOW, "trust": town.trust, "register": town.register(), "types": TYPES,
            "client_id": town.client_id, "requests": requests,
            "exchanges": [told(*story, "met") for story in town.stories()],
            "lies": [told(name, rules, 0, copies, None, exchange.unscrupulous) for name, rules, copies in lies(town)]}


def each(made, which="exchanges"):
    """Every exchange of a file with all that it needs."""
    common = {name: made[name] for name in ("now", "trust", "register", "types", "client_id")}
    return [common | one | {"request": made["requests"][one["request"]]} for one in made.get(which, [])]
