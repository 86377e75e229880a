"""A JSON-LD processor and a validator of JSON Schema, both of other people, read records of permissions.

input: {schema, records: {name: record}}
result: {name: {faults: [text], expanded: the record as JSON-LD 1.1 expands it, without fetching anything}}
"""

import json
import sys

from jsonschema import Draft202012Validator
from pyld import jsonld


def nothing_is_fetched(url: str, _options: dict) -> dict:
    raise ValueError(f"{url} would have been fetched")


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        given = json.load(file)
    Draft202012Validator.check_schema(given["schema"])
    validator = Draft202012Validator(given["schema"], format_checker=Draft202012Validator.FORMAT_CHECKER)
    print(json.dumps({
        name: {
            "faults": [f"{fault.json_path}: {fault.validator}" for fault in validator.iter_errors(record)],
            "expanded": jsonld.expand(record, {"documentLoader": nothing_is_fetched}),
        }
        for name, record in given["records"].items()
    }))


main()
