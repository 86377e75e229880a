//! SPDX licence expressions, as far as the registry's packages use them: AND, OR, WITH, brackets, the old slash.

/// Whether the expression can be satisfied with allowed licences alone.
pub(crate) fn allowed(expression: &str, allow: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { tokens: &tokens, at: 0, allow };
    parser.either() && parser.at == tokens.len() && !tokens.is_empty()
}

struct Parser<'a> {
    tokens: &'a [&'a str],
    at: usize,
    allow: &'a [String],
}

impl Parser<'_> {
    fn take(&mut self, word: &str) -> bool {
        let found = self.tokens.get(self.at) == Some(&word);
        self.at += usize::from(found);
        found
    }

    fn either(&mut self) -> bool {
        let mut result = self.both();
        while self.take("OR") {
            result |= self.both();
        }
        result
    }

    fn both(&mut self) -> bool {
        let mut result = self.one();
        while self.take("AND") {
            result &= self.one();
        }
        result
    }

    fn one(&mut self) -> bool {
        if self.take("(") {
            return self.either() & self.take(")");
        }
        let Some(licence) = self.tokens.get(self.at) else { return false };
        self.at += 1;
        let mut name = (*licence).to_owned();
        if self.take("WITH") {
            name = format!("{name} WITH {}", self.tokens.get(self.at).unwrap_or(&""));
            self.at += 1;
        }
        self.allow.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_satisfied_or_not() {
        let allow = ["MIT", "ISC", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
        for good in ["MIT", "GPL-3.0 OR MIT", "MIT/GPL-2.0", "Apache-2.0 AND ISC", "(MIT OR GPL-3.0) AND ISC"]
        {
            assert!(allowed(good, &allow), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "MIT WITH Odd-exception", "(MIT", "MIT MIT"] {
            assert!(!allowed(bad, &allow), "{bad}");
        }
        assert!(allowed("Apache-2.0 WITH LLVM-exception", &allow));
    }
}
