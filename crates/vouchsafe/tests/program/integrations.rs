//! The sample integrations of `specs/integrations/`, each run as it is against `dev`, with a resident who answers.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use vouchsafe::demo::browser::{Browser, wallet_link};
use vouchsafe::world;

use crate::child::Dev;
use crate::town::{Door, Wire, resident};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sample(name: &str) -> PathBuf {
    root().join("specs/integrations").join(name)
}

/// What is installed for the tests of other people's software.
fn needed(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} is missing: run `cargo xtask test`", path.display());
    path
}

/// Runs a sample against a fresh `dev`, and gives what it told between the page and the outcome.
async fn told(command: impl FnOnce(&Path) -> Command) -> Vec<String> {
    let (dir, door) = (tempfile::tempdir().unwrap(), Door::default());
    let dev = Dev::start(dir.path(), "data", 0);
    door.lead_to(&Wire::to(&dev, None, dev.id()));
    let resident = resident(dir.path(), &door).await;
    resident.wallet.trust_add(&std::fs::read(dev.text("/trust")).unwrap()).await.unwrap();
    resident.receive(dev.text("/offer/uri"), dev.text("/offer/tx_code")).await.unwrap();
    let mut child = start(command(dir.path()), &dev);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first =
        tokio::task::block_in_place(|| lines.next()).unwrap_or_else(|| panic!("{}", said(&mut child)));
    let mut browser = Browser::new(world::client(Path::new(dev.text("/ca"))).unwrap());
    let page = browser.open(first.strip_prefix("page ").unwrap()).await.unwrap();
    let back = resident.share(&wallet_link(&page).unwrap()).await.unwrap();
    browser.open(&back).await.unwrap();
    let rest: Vec<String> = tokio::task::block_in_place(|| lines.collect());
    let ended = tokio::task::block_in_place(|| child.wait()).unwrap();
    assert!(ended.success(), "{}", said(&mut child));
    rest
}

fn start(mut command: Command, dev: &Dev) -> Child {
    command
        .env("VERIFIER", dev.text("/verifier"))
        .env("CLIENT", dev.text("/client/id"))
        .env("SERVICE", dev.text("/client/id"))
        .env("KEY", dev.text("/client/private_key_file"))
        .env("POLICY", "bus-pass")
        .env("CA", dev.text("/ca"))
        .env("NODE_EXTRA_CA_CERTS", dev.text("/ca"))
        .env("no_proxy", "localhost")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn said(child: &mut Child) -> String {
    std::io::read_to_string(child.stderr.take().unwrap()).unwrap()
}

/// The steps as they were seen: the answer may have come and gone between two looks.
fn is_whole(told: &[String]) {
    let told: Vec<&str> = told.iter().map(String::as_str).filter(|line| *line != "event answered").collect();
    assert_eq!(told, ["event waiting", "event decided", "outcome met"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_for_the_shell() {
    let run = |_: &Path| {
        let mut command = Command::new("sh");
        command.arg(sample("ask.sh"));
        command
    };
    is_whole(&told(run).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_for_python() {
    let run = |_: &Path| {
        let mut command = Command::new(needed(root().join("target/interop-python/bin/python")));
        command.arg(sample("ask.py"));
        command
    };
    is_whole(&told(run).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sample_for_node() {
    // Node looks for packages beside the file that asks for them.
    let run = |dir: &Path| {
        let packages = needed(root().join("tests/interop/node_modules")).canonicalize().unwrap();
        std::os::unix::fs::symlink(packages, dir.join("node_modules")).unwrap();
        std::fs::copy(sample("ask.mjs"), dir.join("ask.mjs")).unwrap();
        let mut command = Command::new("node");
        command.arg(dir.join("ask.mjs"));
        command
    };
    is_whole(&told(run).await);
}
