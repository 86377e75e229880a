"""Policies with ways, and the plan that verifier and wallet both make of one (specs/profiles/policy.md)."""

import functools
import json

import dates
import encoding
from encoding import sha256
from es256 import payload_octets

FIXED = {"kind": "fixed"}
LISTED = ("member", "not_member")
#: The least number of values on each side of a list, and in an interval of the policy's own.
CROWD = 4


class Refused(ValueError):
    """Something that a peer must not take; the first argument names the part."""


def require(holds, part):
    if not holds:
        raise Refused(part)


def is_proof(vct):
    return vct.endswith("/zk")


def merged(spans):
    """The one form of a set, of spans that rise without overlap."""
    found = []
    for first, last in spans:
        require(first <= last and (not found or found[-1][1] < first), "table")
        if found and found[-1][1] + 1 == first:
            found[-1][1] = last
        else:
            found.append([first, last])
    return found


class Tables:
    """Signed tables and lists by (id, version): the hash of each, and what its rows say."""

    def __init__(self, documents):
        self.known = {}
        for jws, claims in documents:
            key = claims["sub"], claims["version"]
            require(key not in self.known, "table")
            self.known[key] = sha256(payload_octets(jws)), claims["rows"]

    def hash_of(self, rule):
        require((rule["id"], rule["version"]) in self.known, "table")
        return self.known[rule["id"], rule["version"]][0]

    def rows(self, rule):
        self.hash_of(rule)
        return self.known[rule["id"], rule["version"]][1]

    def values(self, rule):
        """The set of a list's values."""
        rows = self.rows(rule)
        if all(set(row) == {"lo", "hi"} for row in rows):
            return merged([(int(row["lo"]), int(row["hi"])) for row in rows])
        require(all(set(row) == {"code", "index", "name"} for row in rows), "table")
        require(len({row["code"] for row in rows}) == len(rows), "table")
        return merged([(row["index"], row["index"]) for row in rows])


@functools.lru_cache
def cutoff(rows, as_of):
    """The last birth date that has arrived, by a table's rows."""
    rows = json.loads(rows)
    table = dates.Table(rows, dates.parse(rows[0]["from"]), dates.parse(rows[-1]["to"]))
    return dates.day(table.cutoff(as_of))


def bounds_of(condition, tables, as_of):
    """What a condition's rule says on the day: the bounds of the statement."""
    rule, op = condition["rule"], condition["op"]
    if rule["kind"] == "age_at_least":
        return {"k": str(dates.age_at_least(as_of, rule["unit"], rule["n"]))}
    if rule["kind"] == "age_at_most":
        return {"k": str(dates.age_at_most(as_of, rule["unit"], rule["n"]))}
    if rule["kind"] == "table":
        return {"k": str(cutoff(json.dumps(tables.rows(rule)), as_of))}
    if rule["kind"] == "codes":
        values = tables.values(rule)
        require(op in LISTED or len(values) == 1, "a list with gaps")
        return {} if op in LISTED else {"lo": str(values[0][0]), "hi": str(values[0][1])}
    if len(condition["terms"]) == 2 and op in ("eq", "ne"):
        return {"k": condition.get("k", "0")}
    return {name: condition[name] for name in ("k", "lo", "hi") if name in condition}


def rule_as_sent(rule, tables):
    if rule["kind"] not in ("table", "codes"):
        return rule
    return rule | {"hash": encoding.b64u(tables.hash_of(rule))}


def stated(condition, way, tables, as_of):
    terms = [(one["need"], one["pointer"], one.get("coeff", 1)) for one in condition["terms"]]
    terms = [{"query": need, "pointer": pointer, "coeff": coeff} for need, pointer, coeff in terms]
    return {"id": f"{condition['id']}-w{way}", "op": condition["op"], "terms": terms,
            "rule": rule_as_sent(condition["rule"], tables), **bounds_of(condition, tables, as_of)}


def compared(name, op, one, other, at):
    terms = [{"query": need["id"], "pointer": need[at], "coeff": coeff} for need, coeff in ((one, 1), (other, -1))]
    return {"id": name, "op": op, "terms": terms, "k": "0", "rule": FIXED}


def people(needs):
    """Needs by label, in order of the first of each."""
    found = {}
    for need in needs:
        if "person" in need:
            found.setdefault(need["person"], []).append(need)
    return list(found.values())


def of_people(way, needs):
    """One person for each label, others for others, and no fact twice."""
    same = [pair for theirs in people(needs) for pair in zip(theirs, theirs[1:])]
    firsts = [theirs[0] for theirs in people(needs)]
    apart = [(one, other) for at, one in enumerate(firsts) for other in firsts[at + 1 :]]
    pairs = [(one, other) for at, one in enumerate(needs) for other in needs[at + 1 :]]
    whose = lambda need: (need.get("person"), need["vct"])  # noqa: E731
    twins = [(one, other) for one, other in pairs if whose(one) == whose(other) and set(one["iss"]) & set(other["iss"])]
    return [
        *(compared(f"w{way}-same{j}", "eq", *pair, "person_at") for j, pair in enumerate(same)),
        *(compared(f"w{way}-apart{j}", "ne", *pair, "person_at") for j, pair in enumerate(apart)),
        *(compared(f"w{way}-source{j}", "ne", *pair, "source_at") for j, pair in enumerate(twins)),
    ]


def period_of(need, as_of):
    """YYYY-MM of the calendar month so many before that of the day of asking; None where nothing is asked."""
    if "period" not in need:
        return None
    return dates.clamp(as_of.replace(day=1), -need["period"]["back"]).isoformat()[:7]


def queried(need, as_of):
    period = period_of(need, as_of)
    claims = {} if period is None else {"claims": [{"path": ["period"], "values": [period]}]}
    return {"id": need["id"], "format": "dc+sd-jwt", "meta": {"vct_values": [need["vct"]]}, **claims}


def plan(policy, tables, as_of):
    """The query with its statements, and the options. Of ways whose needs are all of proof types."""
    credentials, statements, options = [], [], []
    for index, way in enumerate(policy["ways"]):
        require(all(is_proof(need["vct"]) for need in way["needs"]), "ways over plain types are not modelled")
        require(all(one["op"] != "show" for one in way["conditions"]), "ways that show are not modelled")
        statements += [stated(condition, index, tables, as_of) for condition in way["conditions"]]
        statements += of_people(index, way["needs"])
        credentials += [queried(need, as_of) for need in way["needs"]]
        options.append({"queries": [need["id"] for need in way["needs"]], "outcome": "met"})
    require(1 <= len(statements) <= 16, "statements")
    sets = [{"options": [one["queries"] for one in options]}]
    return {"credentials": credentials, "credential_sets": sets, "statements": statements}, options


def needs_of(policy):
    return {need["id"]: need for way in policy["ways"] for need in way["needs"]}


def tables_named(policy):
    """Each table and list that the rules name, once."""
    rules = [condition["rule"] for way in policy["ways"] for condition in way["conditions"]]
    return list({(rule["id"], rule["version"]): rule for rule in rules if rule["kind"] in ("table", "codes")}.values())


def covers(may_ask, query):
    """Whether everything that is asked is what the purpose lists."""
    vcts = {one["id"]: one["meta"]["vct_values"] for one in query["credentials"]}
    allowed = lambda vct, pointer, how, rule: any(  # noqa: E731
        (one["vct"], one["pointer"], one["how"]) == (vct, pointer, how) and (rule is None or rule in one["rules"])
        for one in may_ask
    )
    stated_ones = [
        (vct, term["pointer"], one["op"], one["rule"])
        for one in query["statements"]
        for term in one["terms"]
        for vct in vcts[term["query"]]
    ]
    shown = [
        (vct, "/" + "/".join(claim["path"]), "show", None)
        for one in query["credentials"]
        for claim in one.get("claims", [])
        for vct in vcts[one["id"]]
    ]
    return all(allowed(*one) for one in stated_ones + shown)


def in_figures(statement, tables):
    """A statement as the proof has it: bounds are integers, and a list is the set that its rule names."""
    found = statement | {name: int(statement[name]) for name in ("k", "lo", "hi") if name in statement}
    return found | ({"set": tables.values(statement["rule"])} if statement["op"] in LISTED else {})


def crowded(statement, attribute):
    """A list, or an interval of the policy's own, singles nobody out. The statement is in figures."""
    if statement["op"] in LISTED:
        inside = sum(last - first + 1 for first, last in statement["set"])
        lo, hi = (int(attribute["range"][end]) for end in ("lo", "hi"))
        return inside >= CROWD and hi - lo + 1 - inside >= CROWD
    if statement["op"] == "in" and statement["rule"] == FIXED and len(statement["terms"]) == 1:
        return statement["hi"] - statement["lo"] + 1 >= CROWD
    return True
