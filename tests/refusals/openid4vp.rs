//! OpenID4VP: requests as a wallet receives them, and answers as the verifier's endpoints receive them.
//!
//! A mutation is a list of commands separated by ` ; `, so that most attacks are data; each surface lists its
//! commands. Pointers are RFC 6901, values are JSON, `-` in a pointer appends.

mod answer;
pub(crate) mod encrypted;
mod page;
mod request;
mod tamper;

use serde_json::Value;
use vouchsafe_protocol::encoding::b64u_decode;

/// Does one edit: `set POINTER JSON`, `drop POINTER`, `copy FROM TO` or `move FROM TO`.
pub(crate) fn edit(value: &mut Value, command: &str) {
    let mut words = command.splitn(3, ' ');
    let (verb, pointer, rest) =
        (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or_default());
    match verb {
        "set" => put(
            value,
            pointer,
            serde_json::from_str(rest).unwrap_or_else(|e| panic!("{command}: {e}")),
            false,
        ),
        "drop" => drop(take(value, pointer)),
        "copy" => {
            let copied = value.pointer(pointer).unwrap().clone();
            put(value, rest, copied, true);
        }
        "move" => {
            let moved = take(value, pointer);
            put(value, rest, moved, true);
        }
        _ => panic!("no such edit: {command}"),
    }
}

fn put(value: &mut Value, pointer: &str, new: Value, insert: bool) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match value.pointer_mut(parent).unwrap_or_else(|| panic!("nothing at {parent}")) {
        Value::Array(items) if name == "-" => items.push(new),
        Value::Array(items) if insert => items.insert(name.parse().unwrap(), new),
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = new,
        Value::Object(members) => drop(members.insert(name.to_owned(), new)),
        _ => panic!("nothing can be put at {pointer}"),
    }
}

fn take(value: &mut Value, pointer: &str) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match value.pointer_mut(parent).unwrap_or_else(|| panic!("nothing at {parent}")) {
        Value::Array(items) => items.remove(name.parse().unwrap()),
        Value::Object(members) => members.remove(name).unwrap_or_else(|| panic!("nothing at {pointer}")),
        _ => panic!("nothing can be taken from {pointer}"),
    }
}

/// The header or the payload of a compact JWS.
pub(crate) fn part(jws: &str, at: usize) -> Value {
    let part = jws.split('.').nth(at).unwrap();
    serde_json::from_slice(&b64u_decode(part).unwrap()).unwrap()
}
