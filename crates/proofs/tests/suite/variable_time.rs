//! No function whose time depends on its input meets a witness: `clippy.toml` forbids each of both curve crates, and where
//! one is used all the same, what calls it sees public data alone.

use std::{fs, path::Path};

use curve25519_dalek::{
    EdwardsPoint, RistrettoPoint, Scalar,
    constants::{ED25519_BASEPOINT_POINT, RISTRETTO_BASEPOINT_POINT},
    ristretto::VartimeRistrettoPrecomputation,
    traits::{VartimeMultiscalarMul, VartimePrecomputedMultiscalarMul},
};

const PATHS: [&str; 7] = [
    "ristretto::RistrettoPoint::vartime_double_scalar_mul_basepoint",
    "edwards::EdwardsPoint::vartime_double_scalar_mul_basepoint",
    "traits::VartimeMultiscalarMul::vartime_multiscalar_mul",
    "traits::VartimeMultiscalarMul::optional_multiscalar_mul",
    "traits::VartimePrecomputedMultiscalarMul::vartime_multiscalar_mul",
    "traits::VartimePrecomputedMultiscalarMul::vartime_mixed_multiscalar_mul",
    "traits::VartimePrecomputedMultiscalarMul::optional_mixed_multiscalar_mul",
];

/// 2*B + 3*B, by each of the functions. The lint must notice each: an expectation that nothing meets is an error in
/// `cargo xtask check`, and so a path of the list that leads nowhere is one too.
struct ByEach {
    two: Scalar,
    three: Scalar,
    base: RistrettoPoint,
    table: VartimeRistrettoPrecomputation,
}

impl ByEach {
    fn new() -> Self {
        let base = RISTRETTO_BASEPOINT_POINT;
        let table = VartimeRistrettoPrecomputation::new([base]);
        Self { two: Scalar::from(2_u64), three: Scalar::from(3_u64), base, table }
    }

    #[expect(clippy::disallowed_methods, reason = "public numbers, to see that the lint looks here")]
    fn double_base(&self) -> RistrettoPoint {
        RistrettoPoint::vartime_double_scalar_mul_basepoint(&self.two, &self.base, &self.three)
    }

    #[expect(clippy::disallowed_methods, reason = "public numbers, to see that the lint looks here")]
    fn double_base_of_edwards(&self) -> EdwardsPoint {
        EdwardsPoint::vartime_double_scalar_mul_basepoint(&self.two, &ED25519_BASEPOINT_POINT, &self.three)
    }

    #[expect(clippy::disallowed_methods, reason = "public numbers, to see that the lint looks here")]
    fn sum(&self) -> RistrettoPoint {
        RistrettoPoint::vartime_multiscalar_mul([self.two, self.three], [self.base; 2])
    }

    #[expect(clippy::disallowed_methods, reason = "public numbers, to see that the lint looks here")]
    fn optional(&self) -> Option<RistrettoPoint> {
        RistrettoPoint::optional_multiscalar_mul([self.two, self.three], [Some(self.base); 2])
    }

    #[expect(clippy::disallowed_methods, reason = "public numbers, to see that the lint looks here")]
    fn by_table(&self) -> RistrettoPoint {
        self.table.vartime_multiscalar_mul([self.two + self.three])
    }

    #[expect(clippy::disallowed_methods, reason = "public numbers, to see that the lint looks here")]
    fn mixed(&self) -> RistrettoPoint {
        self.table.vartime_mixed_multiscalar_mul([self.two], [self.three], [self.base])
    }

    #[expect(clippy::disallowed_methods, reason = "public numbers, to see that the lint looks here")]
    fn optional_mixed(&self) -> Option<RistrettoPoint> {
        self.table.optional_mixed_multiscalar_mul([self.two], [self.three], [Some(self.base)])
    }

    /// The crate of the package's prover.
    #[expect(clippy::disallowed_methods, reason = "public numbers, to see that the lint looks here")]
    fn of_the_package() -> dalek4::RistrettoPoint {
        use dalek4::{Scalar, constants::RISTRETTO_BASEPOINT_POINT, traits::VartimeMultiscalarMul};
        dalek4::RistrettoPoint::vartime_multiscalar_mul([Scalar::from(5_u64)], [RISTRETTO_BASEPOINT_POINT])
    }
}

#[test]
fn each_function_is_known_to_the_lint() {
    let each = ByEach::new();
    let five = RistrettoPoint::mul_base(&Scalar::from(5_u64));
    for sum in [Some(each.double_base()), Some(each.sum()), each.optional(), Some(each.by_table())] {
        assert_eq!(sum, Some(five));
    }
    assert_eq!([Some(each.mixed()), each.optional_mixed()], [Some(five); 2]);
    assert_eq!(each.double_base_of_edwards(), EdwardsPoint::mul_base(&Scalar::from(5_u64)));
    assert_eq!(ByEach::of_the_package().compress().to_bytes(), five.compress().to_bytes());
    let list = include_str!("../../../../clippy.toml");
    for path in PATHS {
        let line = list.lines().find(|line| line.contains(&format!("\"curve25519_dalek::{path}\"")));
        assert!(line.is_some_and(|line| !line.contains("allow-invalid")), "{path}");
    }
}

/// Every function of the sources that makes such a call itself, under an expectation of the lint.
const CALLERS: [(&str, &str); 5] = [
    ("group.rs", "multiple_vartime"),
    ("group.rs", "times_vartime"),
    ("range/generators.rs", "sum_vartime"),
    ("sigma/membership.rs", "equations"),
    ("sigma/mod.rs", "sum_vartime"),
];

/// Functions that provers call although something below them takes variable time: over commitments, bounds and
/// coefficients, which the verifier has too.
const PUBLIC_DATA: [(&str, &str); 2] =
    [("answer/entries.rs", "values"), ("answer/entries.rs", "sum_vartime")];

#[test]
fn provers_call_nothing_of_variable_time() {
    let (mut callers, mut others) = (Vec::new(), Vec::new());
    for (file, source) in sources() {
        for (name, body) in functions(&source) {
            let called = |names: &[&str]| names.iter().any(|name| body.contains(&format!("{name}(")));
            let direct = PATHS.map(|path| path.rsplit("::").next().unwrap());
            if called(&direct) {
                callers.push((file.clone(), name.clone()));
            } else if body.contains("_vartime(") || called(&["equations"]) {
                others.push((file.clone(), name.clone()));
            }
        }
    }
    callers.sort();
    assert_eq!(callers, CALLERS.map(|(file, name)| (file.to_owned(), name.to_owned())));
    for (file, name) in others {
        let says = name.ends_with("_vartime");
        let public = PUBLIC_DATA.contains(&(file.as_str(), name.as_str()));
        assert!(says || public || VERIFIERS.contains(&name.as_str()), "{file}: {name}");
    }
}

/// Functions of verifiers whose names do not say it, being no one's to call but theirs.
const VERIFIERS: [&str; 5] = ["verify_all", "checked", "prepare", "announced", "holds"];

/// Every source of the crate that is not a test's, by its path below `src`.
fn sources() -> Vec<(String, String)> {
    fn read(dir: &Path, below: &str, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if entry.path().is_dir() {
                read(&entry.path(), &format!("{below}{name}/"), found);
            } else if name != "tests.rs" && !below.contains("tests/") {
                let source = fs::read_to_string(entry.path()).unwrap();
                let whole = source.split("mod tests {").next().unwrap().to_owned();
                found.push((format!("{below}{name}"), whole));
            }
        }
    }
    let mut found = Vec::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut found);
    assert!(found.len() > 20);
    found
}

/// Name and body of each function, by the forms that rustfmt gives: no comment, and as far as the next function.
fn functions(source: &str) -> Vec<(String, String)> {
    let code: String =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let parts = code.split("fn ").skip(1);
    parts
        .filter_map(|part| {
            let (name, body) = part.split_once(['(', '<'])?;
            Some((name.to_owned(), body.to_owned()))
        })
        .collect()
}
