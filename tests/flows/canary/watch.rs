//! Everything that the programs wrote down or said, collected to be searched.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// The log of this process, with every field unredacted: more than the programs would ever write.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Listens from now on: ours from the lowest level, libraries from debug.
    pub(crate) fn listen() -> Self {
        let log = Self::default();
        let filter =
            Targets::new().with_default(LevelFilter::DEBUG).with_target("vouchsafe", LevelFilter::TRACE);
        let layer =
            tracing_subscriber::fmt::layer().with_ansi(false).with_writer(log.clone()).with_filter(filter);
        tracing_subscriber::registry().with(layer).try_init().unwrap();
        log
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Every file under `dir` but those named in `except`, by their path in it.
pub(crate) fn files(dir: &Path, except: &[&str]) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            let name = path.strip_prefix(dir).unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !except.contains(&name.as_str()) {
                found.push((name, std::fs::read(&path).unwrap()));
            }
        }
    }
    found
}

/// What a scraper of metrics gets.
pub(crate) async fn metrics(ops: std::net::SocketAddr) -> Vec<u8> {
    let mut stream = TcpStream::connect(ops).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut text = Vec::new();
    stream.read_to_end(&mut text).await.unwrap();
    text
}
