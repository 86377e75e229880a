//! `specs/conformance.md` and `specs/attacks.md` name tests, and what they name is there.

use std::path::Path;

/// What stands in backticks in the page and looks like a test or a refusal.
fn named(page: &str) -> Vec<&str> {
    let ticked = page.split('`').skip(1).step_by(2);
    let names = |text: &&str| text.contains("::") || text.starts_with("refusals/");
    ticked.filter(|text| names(text) && !text.contains('…')).collect()
}

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|fault| panic!("{path}: {fault}"))
}

/// Every table of refusals.
fn rows() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("refusals");
    let files = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let tables = files.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    tables.map(|path| std::fs::read_to_string(path).expect("a file")).collect()
}

/// The text in which a name must be found, and how it stands there.
fn place(name: &str) -> (String, String) {
    if let Some(row) = name.strip_prefix("refusals/") {
        let all = rows();
        return (all, format!("id = \"{row}\""));
    }
    let parts: Vec<&str> = name.split("::").collect();
    let file = match parts[..] {
        ["proofs", module, _] => format!("crates/proofs/tests/suite/{module}.rs"),
        ["dates", _] => "crates/proofs/src/dates/mod.rs".to_owned(),
        ["group", _] => "crates/proofs/src/group.rs".to_owned(),
        [module @ ("answer" | "range" | "sigma"), _] => format!("crates/proofs/src/{module}/tests.rs"),
        [of @ ("answer" | "range" | "sigma"), module, _] => {
            format!("crates/proofs/src/{of}/tests/{module}.rs")
        }
        ["link", _] => "crates/proofs/src/sigma/link/tests/mod.rs".to_owned(),
        ["link", module, _] => format!("crates/proofs/src/sigma/link/tests/{module}.rs"),
        ["time", _] => "crates/protocol/src/time.rs".to_owned(),
        ["refusals", module, _] => format!("tests/refusals/{module}.rs"),
        ["verifier", module, _] => format!("verifier/tests/{module}.rs"),
        ["peers", module, _] => format!("tests/interop/{module}.rs"),
        ["openid", module, _] => format!("crates/protocol/tests/openid/{module}.rs"),
        ["dcql", module, _] => format!("crates/protocol/tests/dcql/{module}.rs"),
        ["issuer", module, _] => format!("issuer/src/tests/{module}.rs"),
        ["wallet", module, _] => format!("wallet/tests/{module}.rs"),
        ["holder", module, _] => format!("wallet/tests/holder/{module}.rs"),
        ["story", module, _] => format!("wallet/tests/story/{module}.rs"),
        ["joint", module, _] => format!("wallet/tests/joint/{module}.rs"),
        ["attack", module, _] => format!("verifier/tests/attack/{module}.rs"),
        ["vectors", module, _] => format!("crates/protocol/tests/vectors/{module}.rs"),
        ["service", module, _] => format!("crates/service/tests/{module}.rs"),
        ["canary", module, _] => format!("tests/flows/canary/{module}.rs"),
        ["flows", module, _] => format!("tests/flows/{module}.rs"),
        ["linkability", module, _] => format!("tests/flows/linkability/{module}.rs"),
        _ => panic!("{name}: of which tests?"),
    };
    (read(&file), format!("fn {}(", parts[parts.len() - 1]))
}

#[test]
fn every_test_that_the_pages_name_is_there() {
    for path in ["specs/conformance.md", "specs/attacks.md"] {
        let page = read(path);
        let names = named(&page);
        assert!(names.len() >= 50, "{path}: {} names", names.len());
        for name in names {
            let (text, wanted) = place(name);
            assert!(text.contains(&wanted), "{name} is named in {path} and is not there");
        }
    }
}
