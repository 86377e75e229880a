//! What a fresh machine lacks: Debian packages, a Rust component, pinned npm and Python packages.

use std::path::Path;

use crate::process::{Failure, output, program, quietly, say, succeeds};

/// A program we call, and the Debian package that brings it.
#[derive(Clone, Copy)]
pub(crate) struct Needed {
    program: &'static str,
    package: &'static str,
}

/// SQLite and ring build C code.
pub(crate) const COMPILER: Needed = Needed { program: "cc", package: "build-essential" };
/// The independent model.
pub(crate) const PYTHON: Needed = Needed { program: "python3", package: "python3" };

/// The pinned Python packages of `tests/interop` live in an environment of their own; nothing is installed globally.
const PYTHON_HOME: &str = "target/interop-python";
const PYTHON_PINNED: &str = "tests/interop/requirements.txt";

/// The oldest Node that the pinned peers run on.
const NODE: (u32, u32) = (20, 19);

/// Whether Debian sets a server of its own up when the package is installed: none, for tests bring theirs.
const NO_SERVER: &str = "/etc/postgresql-common/createcluster.conf";

/// PostgreSQL, without a server that would be started with it.
pub(crate) fn have_postgres() -> Result<(), Failure> {
    if vouchsafe_cluster::is_installed() {
        return Ok(());
    }
    if !sets_no_server_up(&std::fs::read_to_string(NO_SERVER).unwrap_or_default()) {
        let setting =
            format!("mkdir -p /etc/postgresql-common && echo 'create_main_cluster = false' >>{NO_SERVER}");
        if !succeeds(&mut as_root(&["sh", "-c", &setting]))? {
            return Err(Failure(format!(
                "{NO_SERVER} cannot be written: write `create_main_cluster = false` there"
            )));
        }
    }
    install(&["postgresql"])
}

/// Whether Debian's settings say so; a line behind a `#` says nothing.
fn sets_no_server_up(settings: &str) -> bool {
    let words = settings.lines().filter_map(|line| line.split_once('='));
    words.into_iter().any(|(key, value)| key.trim() == "create_main_cluster" && value.trim() == "false")
}

/// Installs the packages of the programs that are missing.
pub(crate) fn have(needed: &[Needed]) -> Result<(), Failure> {
    let missing: Vec<&str> = needed.iter().filter(|n| !on_path(n.program)).map(|n| n.package).collect();
    if missing.is_empty() { Ok(()) } else { install(&missing) }
}

/// Whether the shell finds a program of that name.
pub(crate) fn on_path(name: &str) -> bool {
    quietly(&mut program("sh", &["-c", "command -v \"$0\"", name]))
}

/// Installs Debian packages, through sudo unless we are root. Nothing asks a question.
pub(crate) fn install(packages: &[&str]) -> Result<(), Failure> {
    say(&format!("installing Debian packages: {}", packages.join(" ")));
    if !on_path("apt-get") {
        return Err(Failure(format!(
            "install these packages, or what your system calls them: {}",
            packages.join(" ")
        )));
    }
    let mut steps = vec![vec!["apt-get", "update", "-qq"]];
    steps.push([&["apt-get", "install", "-y", "-qq", "--no-install-recommends"], packages].concat());
    for step in steps {
        if !succeeds(&mut as_root(&step))? {
            return Err(Failure(format!("`{}` failed: run it by hand and start again", step.join(" "))));
        }
    }
    Ok(())
}

fn as_root(step: &[&str]) -> std::process::Command {
    let is_root = output(&mut program("id", &["-u"])).is_ok_and(|id| id.trim() == "0");
    let environment = ["env", "DEBIAN_FRONTEND=noninteractive"];
    let line = [if is_root { &[][..] } else { &["sudo", "-n"][..] }, &environment, step].concat();
    program(line[0], &line[1..])
}

/// Rustfmt and clippy come with the toolchain; a minimal one lacks them.
pub(crate) fn have_component(component: &str, subcommand: &str) -> Result<(), Failure> {
    if quietly(&mut crate::process::cargo(&[subcommand, "--version"])) {
        return Ok(());
    }
    if succeeds(&mut program("rustup", &["component", "add", component]))? {
        return Ok(());
    }
    Err(Failure(format!("`cargo {subcommand}` is missing: add the component {component} to your toolchain")))
}

/// A Node that the peers and the bench run on.
pub(crate) fn have_node() -> Result<(), Failure> {
    let version = output(&mut program("node", &["--version"])).unwrap_or_default();
    if node_suffices(&version) {
        return Ok(());
    }
    let found = if version.is_empty() { "none" } else { version.trim() };
    Err(Failure(format!("Node {}.{} or newer is needed, found {found}", NODE.0, NODE.1)))
}

/// The pinned npm packages of `tests/interop`, exactly as its lock file says.
pub(crate) fn have_interop_packages() -> Result<(), Failure> {
    have_node()?;
    let installed = Path::new("tests/interop/node_modules/.package-lock.json");
    let lock = Path::new("tests/interop/package-lock.json");
    let newer = |path: &Path| path.metadata().and_then(|meta| meta.modified());
    if installed.exists() && newer(installed)? >= newer(lock)? {
        return Ok(());
    }
    let npm = ["--prefix", "tests/interop", "ci", "--no-audit", "--no-fund", "--ignore-scripts"];
    if succeeds(&mut program("npm", &npm))? {
        Ok(())
    } else {
        Err(Failure("npm ci failed in tests/interop".into()))
    }
}

/// The pinned Python packages of `tests/interop`, exactly as its list says.
pub(crate) fn have_interop_python() -> Result<(), Failure> {
    let pinned = std::fs::read_to_string(PYTHON_PINNED)?;
    let installed = Path::new(PYTHON_HOME).join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|kept| kept == pinned) {
        return Ok(());
    }
    // Debian keeps what fills a fresh environment in a package of its own.
    if !quietly(&mut program("python3", &["-c", "import ensurepip, venv"])) {
        install(&["python3-venv"])?;
    }
    let pip = format!("{PYTHON_HOME}/bin/pip");
    let wheels = ["install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"];
    let made = succeeds(&mut program("python3", &["-m", "venv", "--clear", PYTHON_HOME]))?
        && succeeds(&mut program(&pip, &[&wheels[..], &["-r", PYTHON_PINNED]].concat()))?;
    if !made {
        return Err(Failure(format!("the packages of {PYTHON_PINNED} could not be installed")));
    }
    Ok(std::fs::write(&installed, pinned)?)
}

fn node_suffices(version: &str) -> bool {
    let mut parts = version.trim().trim_start_matches('v').split('.').map_while(|part| part.parse().ok());
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= NODE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debians_default_sets_a_server_up() {
        for says_no in [
            "create_main_cluster = false\n",
            "# else\ncreate_main_cluster=false",
            "#a = b\n create_main_cluster = false",
        ] {
            assert!(sets_no_server_up(says_no), "{says_no}");
        }
        for says_nothing in
            ["", "#create_main_cluster = false", "create_main_cluster = true", "start_conf = 'auto'"]
        {
            assert!(!sets_no_server_up(says_nothing), "{says_nothing}");
        }
    }

    #[test]
    fn old_nodes_are_told_apart() {
        assert!(node_suffices("v20.20.2\n") && node_suffices("v22.0.0") && node_suffices("v20.19.0"));
        assert!(!node_suffices("v20.9.0") && !node_suffices("v18.20.4") && !node_suffices(""));
    }
}
