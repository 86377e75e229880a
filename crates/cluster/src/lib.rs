//! A private PostgreSQL for tests: made, used and removed by the process that asks for it.
//!
//! The server is Debian's, found under its versioned folder and run from a data folder of its own, as another user when
//! we are root, since the server refuses to be. It listens on a Unix socket alone, unless a test of TLS asks for
//! loopback. Each test takes a database of its own with [`Cluster::database`].
//!
//! A server belongs to a supervising shell that reads our pipe: when we end, in whatever way, the pipe closes, the
//! shell stops the server and removes its folder. `cargo xtask test` keeps one for all test processes and names its
//! socket in [`SHARED`]; without it, each process makes one, which takes a second or two. Without PostgreSQL nothing is
//! skipped: the [`Fault`] says what to install.

use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The environment variable that names the socket folder of a server which is up already.
pub const SHARED: &str = "VOUCHSAFE_TEST_POSTGRES";
/// Whom the tests connect as; may do everything.
pub const USER: &str = "vouchsafe";
/// The port, which names the socket; nothing listens on it but where TLS is tested.
const PORT: u16 = 5432;

/// The oldest server that the programs accept.
const OLDEST: u32 = 15;
/// How often and how long it is waited for, in all half a minute: first starts on a busy machine are slow.
const TRIES: usize = 300;
const PAUSE: Duration = Duration::from_millis(100);
/// From how much free memory on a server is kept there, in MiB.
const MEMORY_MB: u64 = 4096;

/// What keeps a test from having a server.
#[derive(Debug)]
pub struct Fault(String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// A certificate and its key, for a server that also listens on loopback, over TLS.
#[derive(Clone, Copy, Debug)]
pub struct Tls<'a> {
    /// PEM, leaf first.
    pub chain: &'a str,
    /// PKCS#8 PEM.
    pub key: &'a str,
    /// The port on 127.0.0.1.
    pub port: u16,
}

/// A server, ours or one that is shared.
#[derive(Debug)]
pub struct Cluster {
    binaries: PathBuf,
    socket: PathBuf,
    port: u16,
    own: Option<Own>,
}

/// What belongs to us alone.
#[derive(Debug)]
struct Own {
    folder: PathBuf,
    settings: Vec<String>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    shell: Child,
    leash: ChildStdin,
    server: u32,
}

impl Cluster {
    /// The server that all test processes share, if there is one, or else one of our own.
    ///
    /// # Errors
    /// [`Fault`] says what is missing.
    #[expect(clippy::disallowed_methods, reason = "the test runner names what it started")]
    pub fn shared() -> Result<Self, Fault> {
        match std::env::var_os(SHARED) {
            Some(socket) => Ok(Self { binaries: binaries()?, socket: socket.into(), port: PORT, own: None }),
            None => Self::private(),
        }
    }

    /// A server of our own, which may be killed.
    ///
    /// # Errors
    /// [`Fault`] says what is missing.
    pub fn private() -> Result<Self, Fault> {
        Self::make(None)
    }

    /// A server of our own that serves TLS on loopback too.
    ///
    /// # Errors
    /// [`Fault`] says what is missing.
    pub fn with_tls(tls: Tls<'_>) -> Result<Self, Fault> {
        Self::make(Some(tls))
    }

    fn make(tls: Option<Tls<'_>>) -> Result<Self, Fault> {
        let binaries = binaries()?;
        let folder = folder()?;
        // From here on the folder is removed with the value, however far we come.
        let own = Own { folder: folder.clone(), settings: Vec::new(), running: None };
        let port = tls.map_or(PORT, |tls| tls.port);
        let mut cluster = Self { binaries, socket: folder.join("socket"), port, own: Some(own) };
        cluster.prepare(&folder, tls)?;
        cluster.start()?;
        Ok(cluster)
    }

    fn prepare(&mut self, folder: &Path, tls: Option<Tls<'_>>) -> Result<(), Fault> {
        std::fs::create_dir(&self.socket)?;
        let mut settings = settings(&self.socket, self.port);
        if let Some(tls) = tls {
            for (name, text) in [("chain.pem", tls.chain), ("key.pem", tls.key)] {
                std::fs::write(folder.join(name), text)?;
            }
            succeeds(Command::new("chmod").arg("600").arg(folder.join("key.pem")))?;
            settings.extend(tls_settings(folder));
        }
        if let Some(user) = server_user() {
            succeeds(Command::new("chown").arg("-R").arg(&user).arg(folder))?;
        }
        let data = folder.join("data");
        let mut initdb = as_server(&self.binaries.join("initdb"));
        initdb.args(["--auth=trust", "--username", USER, "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]);
        succeeds(initdb.arg("--pgdata").arg(data).current_dir(folder))?;
        if let Some(own) = &mut self.own {
            own.settings = settings;
        }
        Ok(())
    }

    /// Starts the server, anew after [`Cluster::kill`], and waits until it serves.
    ///
    /// # Errors
    /// [`Fault`] with the end of the server's log.
    pub fn start(&mut self) -> Result<(), Fault> {
        let mut up = self.client("pg_isready");
        let Some(own) = &mut self.own else { return Ok(()) };
        for _ in 0..TRIES {
            if own.running.is_none() {
                own.running = Some(Running::start(&self.binaries, own)?);
            }
            if up.status()?.success() {
                return Ok(());
            }
            // The remains of a killed server may still be attached to its memory: then this one has gone again.
            if own.running.as_mut().is_some_and(|running| !running.is_alive()) {
                own.stop("keep");
            }
            pause();
        }
        Err(Fault(format!("the server did not come up: {}", own.log())))
    }

    /// Kills the server without warning, as a machine does that loses power but not its disk.
    ///
    /// # Panics
    /// When the server is not ours to kill.
    pub fn kill(&mut self) {
        let own = self.own.as_mut().expect("only a private server is killed");
        if let Some(running) = &own.running {
            signal("KILL", running.server);
        }
        own.stop("keep");
    }

    /// The folder of the socket: what a configuration names as the host.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The port, as a configuration names it.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Makes an empty database that nobody else uses; gives its name.
    ///
    /// # Panics
    /// When the server makes none.
    #[must_use]
    pub fn database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        for _ in 0..TRIES {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("t_{}_{count}", std::process::id());
            // An earlier process may have had our number on a shared server: then the name is taken.
            if self.client("createdb").arg(&name).status().is_ok_and(|status| status.success()) {
                return name;
            }
        }
        panic!("no database could be made in {}", self.socket.display());
    }

    /// Makes an empty database of this name.
    ///
    /// # Panics
    /// When the server makes none: the name is taken.
    pub fn create(&self, name: &str) {
        let made = self.client("createdb").arg(name).status();
        assert!(made.is_ok_and(|status| status.success()), "{name} could not be made");
    }

    /// The server's process, to be killed by whoever keeps time; ours alone.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        self.own.as_ref()?.running.as_ref().map(|running| running.server)
    }

    /// Drops a database that is done with, whoever is connected.
    pub fn drop_database(&self, name: &str) {
        let _ = self.client("dropdb").args(["--force", "--if-exists", name]).status();
    }

    fn client(&self, program: &str) -> Command {
        let mut command = quiet(&self.binaries.join(program));
        command.arg("--host").arg(&self.socket).args(["--username", USER, "--port", &self.port.to_string()]);
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(own) = &mut self.own {
            own.stop("remove");
            let _ = std::fs::remove_dir_all(&own.folder);
        }
    }
}

impl Own {
    fn stop(&mut self, word: &str) {
        if let Some(mut running) = self.running.take() {
            let _ = writeln!(running.leash, "{word}");
            drop(running.leash);
            let _ = running.shell.wait();
        }
    }

    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }
}

/// Runs the server and stops it when the pipe closes; the word before that says whether its folder stays.
const SUPERVISE: &str = r#"
trap "" INT TERM
folder=$1; shift
"$0" -D "$folder/data" "$@" >>"$folder/log" 2>&1 </dev/null &
server=$!
echo $server
exec >/dev/null
read -r word
kill -QUIT $server 2>/dev/null
wait $server
[ "$word" = keep ] || rm -rf "$folder"
"#;

impl Running {
    fn start(binaries: &Path, own: &Own) -> Result<Self, Fault> {
        let mut command = as_server(Path::new("/bin/sh"));
        command.arg("-c").arg(SUPERVISE).arg(binaries.join("postgres")).arg(&own.folder);
        for setting in &own.settings {
            command.args(["-c", setting]);
        }
        command.current_dir(&own.folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = command.spawn()?;
        let leash = shell.stdin.take().expect("the stream was piped above");
        let out = shell.stdout.take().expect("the stream was piped above");
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let server =
            line.trim().parse().map_err(|_| Fault(format!("no server was started: {}", own.log())))?;
        Ok(Self { shell, leash, server })
    }

    fn is_alive(&self) -> bool {
        signal("0", self.server)
    }
}

/// No network, and nothing in the background that a short life needs. What is acknowledged is kept: `fsync` stays on.
fn settings(socket: &Path, port: u16) -> Vec<String> {
    [
        "listen_addresses=".to_owned(),
        format!("unix_socket_directories={}", socket.display()),
        "unix_socket_permissions=0700".to_owned(),
        format!("port={port}"),
        "max_connections=200".to_owned(),
        "shared_buffers=32MB".to_owned(),
        "autovacuum=off".to_owned(),
        "restart_after_crash=off".to_owned(),
    ]
    .to_vec()
}

fn tls_settings(folder: &Path) -> Vec<String> {
    vec![
        "listen_addresses=127.0.0.1".to_owned(),
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", folder.join("chain.pem").display()),
        format!("ssl_key_file={}", folder.join("key.pem").display()),
    ]
}

/// Whether there is a server that tests can run.
#[must_use]
pub fn is_installed() -> bool {
    binaries().is_ok()
}

/// Where Debian keeps servers, each version in a folder of its own.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Where the newest server's programs are.
fn binaries() -> Result<PathBuf, Fault> {
    newest(Path::new(VERSIONS))
}

fn newest(versions: &Path) -> Result<PathBuf, Fault> {
    let folder = versions.display();
    let versions = std::fs::read_dir(versions).into_iter().flatten().flatten();
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.filter_map(|entry| Some((version(&entry.path())?, entry.path().join("bin"))));
    let newest = newest.filter(|(version, bin)| *version >= OLDEST && bin.join("postgres").is_file()).max();
    newest.map(|(_, bin)| bin).ok_or_else(|| {
        Fault(format!("no PostgreSQL {OLDEST} or newer under {folder}: `cargo xtask test` installs it"))
    })
}

/// A new folder that the server's user can reach.
fn folder() -> Result<PathBuf, Fault> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..TRIES {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = roomy().join(format!("vouchsafe-pg-{}-{count}", std::process::id()));
        match std::fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Fault("no free name for a folder of the server".to_owned()))
}

/// Memory, where there is enough of it: a server that was killed looks through all its files when it starts again. What a
/// process wrote is there after a kill in either place; neither says anything about a loss of power.
fn roomy() -> PathBuf {
    let memory = "/dev/shm";
    let free = Command::new("df").args(["--output=avail", "--block-size=1M", memory]).output();
    let free =
        free.map(|out| String::from_utf8_lossy(&out.stdout).lines().nth(1).map(str::trim).map(str::parse));
    match free {
        Ok(Some(Ok(megabytes))) if MEMORY_MB < megabytes => memory.into(),
        _ => std::env::temp_dir(),
    }
}

/// Whom the server runs as when we are root; `None` otherwise.
fn server_user() -> Option<String> {
    let id = Command::new("id").arg("-u").output().ok()?;
    if id.stdout.trim_ascii() != b"0" {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let known = users.lines().any(|line| line.starts_with("postgres:"));
    Some(if known { "postgres" } else { "nobody" }.to_owned())
}

fn as_server(program: &Path) -> Command {
    let Some(user) = server_user() else { return quiet(program) };
    let mut command = quiet(Path::new("setpriv"));
    command
        .args(["--reuid", &user, "--clear-groups"])
        .arg("--regid")
        .arg(group(&user))
        .arg("--")
        .arg(program);
    command
}

fn group(user: &str) -> String {
    let id = Command::new("id").args(["-g", user]).output();
    id.map(|id| String::from_utf8_lossy(&id.stdout).trim().to_owned()).unwrap_or_default()
}

/// A command that says nothing; standard output too, since a test runner waits for whoever holds its own.
fn quiet(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn succeeds(command: &mut Command) -> Result<(), Fault> {
    let output = command.stderr(Stdio::piped()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let program = command.get_program().to_string_lossy().into_owned();
    Err(Fault(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

fn signal(name: &str, process: u32) -> bool {
    let mut kill = quiet(Path::new("kill"));
    kill.arg(format!("-{name}")).arg(process.to_string()).status().is_ok_and(|status| status.success())
}

#[expect(clippy::disallowed_methods, reason = "waits for a process of its own, outside every runtime")]
fn pause() {
    std::thread::sleep(PAUSE);
}

#[cfg(all(test, feature = "mutants"))]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn postgres_is_found_by_its_version_and_missed_in_words() {
        let versions = folder().unwrap_or_else(|fault| panic!("{fault}"));
        let has = |version: &str| {
            let programs = versions.join(version).join("bin");
            std::fs::create_dir_all(&programs).and_then(|()| std::fs::write(programs.join("postgres"), ""))
        };
        let missed = || newest(&versions).map_err(|fault| fault.to_string()).expect_err("nothing suits");
        assert!(missed().ends_with("`cargo xtask test` installs it"));
        for too_old in ["13", "9.6", "current"] {
            has(too_old).expect("a folder");
        }
        assert!(missed().starts_with("no PostgreSQL 15 or newer"));
        for good in ["15", "17"] {
            has(good).expect("a folder");
            assert_eq!(newest(&versions).ok(), Some(versions.join(good).join("bin")));
        }
        let _ = std::fs::remove_dir_all(versions);
    }

    fn databases(cluster: &Cluster) -> String {
        let mut psql = cluster.client("psql");
        psql.args(["-d", "postgres", "-Atc", "SELECT datname FROM pg_database"]).stdout(Stdio::piped());
        let out = psql.output();
        String::from_utf8_lossy(&out.expect("psql runs").stdout).into_owned()
    }

    #[test]
    fn postgres_comes_up_survives_a_kill_and_goes_with_its_folder() {
        let mut cluster = Cluster::private().unwrap_or_else(|fault| panic!("{fault}"));
        let folder = cluster.socket().parent().expect("the socket lies in the folder").to_owned();
        let (one, two) = (cluster.database(), cluster.database());
        assert_ne!(one, two);
        if server_user().is_some() {
            let process = cluster.process().expect("it runs");
            let owner = std::fs::metadata(format!("/proc/{process}")).map(|of| of.uid());
            assert!(owner.is_ok_and(|owner| owner != 0), "the server is another's than root's");
        }
        cluster.kill();
        assert_eq!(databases(&cluster), "", "nobody answers");
        cluster.start().unwrap_or_else(|fault| panic!("{fault}"));
        cluster.drop_database(&two);
        let names = databases(&cluster);
        assert!(names.lines().any(|name| name == one) && names.lines().all(|name| name != two), "{names}");
        drop(cluster);
        assert!(!folder.exists());
    }
}
