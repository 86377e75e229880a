"""RFC 8785 for the JSON that profile 1 digests: strings, integers below 2^53, booleans, arrays, objects."""

import json

import encoding


def canonical(value):
    check(value)
    return json.dumps(ordered(value), ensure_ascii=False, separators=(",", ":")).encode()


def check(value):
    """specs/profiles/request.md: no floats, no null, nothing that JSON implementations read differently."""
    if isinstance(value, dict):
        for key, member in value.items():
            check(key)
            check(member)
    elif isinstance(value, list):
        for member in value:
            check(member)
    elif isinstance(value, bool) or isinstance(value, str):
        return
    elif not isinstance(value, int) or abs(value) >= 2**53:
        raise ValueError("only strings, integers below 2^53 and booleans are digested")


def ordered(value):
    """RFC 8785 3.2.3: members by the UTF-16 code units of their names."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return {name: ordered(value[name]) for name in names}
    return [ordered(member) for member in value] if isinstance(value, list) else value


def digest(value):
    return encoding.sha256(canonical(value))
