//! Finding functions in Rust source and measuring them.
//!
//! A small lexer, not a parser: it blanks out comments, strings and characters, then matches the braces that follow a
//! `fn name`. A function runs from the line of its `fn` to the line of its closing brace, blank lines, comments and
//! nested functions included. Functions made by macros are not seen.

/// A function found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Line of the `fn`, counted from 1.
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

/// All functions with a body, in order.
pub(crate) fn functions(source: &str) -> Vec<Function> {
    let code = blank(source);
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = code[from..].find("fn ").map(|offset| from + offset) {
        from = at + 3;
        let stands_alone = at == 0 || !is_word(bytes[at - 1]);
        if let (true, Some(body)) = (stands_alone, body(bytes, from)) {
            found.push(measure(&code, at, body));
        }
    }
    found
}

fn measure(code: &str, at: usize, end: usize) -> Function {
    let name = code[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let line = code[..at].matches('\n').count() + 1;
    Function { name, line, lines: code[at..end].matches('\n').count() + 1 }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The place just behind the body of the function whose name stands at `from`; none for types and declarations.
fn body(code: &[u8], from: usize) -> Option<usize> {
    if !is_word(*code.get(from)?) {
        return None;
    }
    let mut depth = 0_usize;
    let mut brackets = 0_usize;
    for (offset, byte) in code[from..].iter().enumerate() {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets = brackets.saturating_sub(1),
            b';' if depth == 0 && brackets == 0 => return None,
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some(from + offset + 1),
            b'}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

/// The source with comments, strings and characters turned into spaces; line ends stay.
fn blank(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = token_end(bytes, at);
        let hidden = end > at + 1;
        out.extend(bytes[at..end].iter().map(|b| if hidden && *b != b'\n' { b' ' } else { *b }));
        at = end;
    }
    out.iter().map(|b| char::from(if b.is_ascii() { *b } else { b'_' })).collect()
}

/// Where the comment, string or character that starts here ends; one byte on for anything else.
fn token_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let length = match rest {
        [b'/', b'/', ..] => rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment(rest),
        [b'"', ..] => quoted(rest, 1),
        [b'r', b'"' | b'#', ..] if at == 0 || !is_word(bytes[at - 1]) || bytes[at - 1] == b'b' => raw(rest),
        [b'\'', ..] => character(rest),
        _ => 1,
    };
    at + length.max(1)
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut i) = (0_usize, 0);
    while i + 1 < rest.len() {
        match &rest[i..i + 2] {
            b"/*" => (depth, i) = (depth + 1, i + 2),
            b"*/" => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], from: usize) -> usize {
    let mut i = from;
    while i < rest.len() {
        match rest[i] {
            b'\\' => i += 2,
            b'"' => return i + 1,
            _ => i += 1,
        }
    }
    rest.len()
}

fn raw(rest: &[u8]) -> usize {
    let hashes = rest[1..].iter().take_while(|b| **b == b'#').count();
    if rest.get(1 + hashes) != Some(&b'"') {
        return 1;
    }
    let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let body = &rest[2 + hashes..];
    let end = body.windows(close.len()).position(|window| window == close);
    end.map_or(rest.len(), |end| 2 + hashes + end + close.len())
}

/// A character literal, or one byte if it is a lifetime.
fn character(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        return rest[3..].iter().position(|b| *b == b'\'').map_or(1, |end| end + 4);
    }
    let close = rest.iter().skip(2).take(4).position(|b| *b == b'\'');
    let one =
        close.is_some_and(|end| std::str::from_utf8(&rest[1..end + 2]).is_ok_and(|s| s.chars().count() == 1));
    if one { close.map_or(1, |end| end + 3) } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r##"
trait Shape { fn area(&self) -> [u8; 2]; fn name(&self) -> &str { "fn x() {" } }
/* fn gone() { /* nested */ } */
// fn gone() {}
fn quotes<'a>(text: &'a str) -> char {
    let raw = r#"}"#;
    let brace = '}'; let escaped = '\''; let quote = "\"}";
    '{'
}

fn outer(callback: fn(u8) -> u8) {
    fn inner() {}
}
"##;

    #[test]
    fn finds_bodies_and_measures_them() {
        let found: Vec<_> = functions(SAMPLE).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
        let expected = [("name", 2, 1), ("quotes", 5, 5), ("outer", 11, 3), ("inner", 12, 1)];
        assert_eq!(found, expected.map(|(name, line, lines)| (name.to_owned(), line, lines)));
    }
}
