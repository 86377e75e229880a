//! What the programs tell about themselves: log lines, metrics, health.
//!
//! Logs could be read aloud: a field is written only when its name is on a closed list, everything else is
//! `[redacted]`; events of libraries are let through from warnings upwards. Metrics carry labels from closed sets
//! alone. Health and metrics are answered on a listener of their own.

mod log;
mod ops;

use std::sync::{Arc, OnceLock};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde::Deserialize;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::clock::Clock;
pub use ops::{Readiness, ops_router};

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One JSON object a line: for machines.
    #[default]
    Json,
    /// One sentence a line: for people at a terminal.
    Pretty,
}

/// From which level on the programs' own events are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// What someone must mend.
    Error,
    /// What someone may want to look at.
    Warn,
    /// What happened.
    #[default]
    Info,
    /// How it happened.
    Debug,
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::ERROR,
            Level::Warn => Self::WARN,
            Level::Info => Self::INFO,
            Level::Debug => Self::DEBUG,
        }
    }
}

/// The section `[telemetry]` of a configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How log lines look.
    pub format: Format,
    /// From which level on they are written.
    pub level: Level,
}

/// The process's metrics, ready to be rendered.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// The metrics in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.0.run_upkeep();
        self.0.render()
    }
}

/// Starts logging to standard error. Of several calls in a process the first one counts.
pub fn init_logs(config: Config, clock: Arc<dyn Clock>) {
    let filter = Targets::new().with_default(LevelFilter::WARN).with_target("vouchsafe", config.level);
    let layer = log::Log::new(config.format, clock, std::io::stderr).with_filter(filter);
    let _ = tracing_subscriber::registry().with(layer).try_init();
}

/// Starts collecting metrics, once in a process; later calls give the same ones.
#[must_use]
pub fn metrics() -> Metrics {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let handle = HANDLE.get_or_init(|| {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        // A recorder that was there before keeps its place; ours then renders nothing, which harms nobody.
        let _ = ::metrics::set_global_recorder(recorder);
        handle
    });
    Metrics(handle.clone())
}
