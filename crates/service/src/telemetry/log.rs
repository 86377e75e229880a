//! Log lines with a closed list of fields.
//!
//! Redaction is by construction: what a line may say is listed here, and a field that somebody adds without listing it
//! shows up as `[redacted]`. The message is a sentence of the program; values belong in fields.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::Format;
use crate::clock::Clock;

/// The fields that are written. None may ever hold a claim, a token, a nonce, a network address or a body.
const FIELDS: [&str; 29] = [
    "message",
    "audit.event",
    "batch.size",
    "column",
    "decision.id",
    "error",
    "fault",
    "kind",
    "line",
    "listener",
    "offer.id",
    "operation",
    "outcome",
    "policy",
    "policy.version",
    "problem.code",
    "problem.reference",
    "program",
    "purpose",
    "reason",
    "request.id",
    "route",
    "rows",
    "service.id",
    "status",
    "step",
    "type",
    "version",
    "witness",
];
/// Units, so that a measured quantity needs no entry of its own.
const UNITS: [&str; 4] = ["_ms", "_s", "_bytes", "_count"];

fn is_listed(name: &str) -> bool {
    FIELDS.contains(&name) || UNITS.iter().any(|unit| name.ends_with(unit))
}

/// Writes events as lines.
pub(super) struct Log<W> {
    format: Format,
    clock: Arc<dyn Clock>,
    writer: W,
}

impl<W> Log<W> {
    pub(super) fn new(format: Format, clock: Arc<dyn Clock>, writer: W) -> Self {
        Self { format, clock, writer }
    }

    fn line(&self, event: &Event<'_>, fields: Fields) -> String {
        let at = Timestamp::from_millisecond(self.clock.now_ms()).unwrap_or(Timestamp::UNIX_EPOCH);
        let level = event.metadata().level().as_str();
        match self.format {
            Format::Json => json(at, level, event.metadata().target(), fields),
            Format::Pretty => pretty(at, level, fields),
        }
    }
}

impl<S, W> Layer<S> for Log<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> MakeWriter<'w> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            record.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                // The innermost span comes first and wins.
                for (name, value) in &of_span.0 {
                    fields.0.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
        }
        event.record(&mut fields);
        // A log that cannot be written has nobody to tell.
        let _ = self.writer.make_writer().write_all(self.line(event, fields).as_bytes());
    }
}

/// Fields by name; unlisted ones keep their name and lose their value.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        let value = if is_listed(field.name()) { value.into() } else { "[redacted]".into() };
        self.0.insert(field.name().to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}

fn json(at: Timestamp, level: &str, target: &str, fields: Fields) -> String {
    let mut line = Map::new();
    line.insert("time".to_owned(), format!("{at:.3}").into());
    line.insert("level".to_owned(), level.to_ascii_lowercase().into());
    line.insert("target".to_owned(), target.into());
    line.extend(fields.0);
    format!("{}\n", Value::Object(line))
}

fn pretty(at: Timestamp, level: &str, mut fields: Fields) -> String {
    let message = fields.0.remove("message");
    let message = message.as_ref().and_then(Value::as_str).unwrap_or_default();
    let mut line = format!("{at:.0} {level:5} {}", escape(message));
    for (name, value) in &fields.0 {
        let _ = match value {
            Value::String(text) => write!(line, " {name}={}", escape(text)),
            other => write!(line, " {name}={other}"),
        };
    }
    line.push('\n');
    line
}

/// One event is one line, and no control character reaches a terminal.
fn escape(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use std::sync::Mutex;
    use tracing_subscriber::layer::SubscriberExt as _;
    use vouchsafe_protocol::time::UnixTime;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written(format: Format, test: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let clock = Arc::new(ManualClock::at(UnixTime(1_790_000_000)));
        let log = Log::new(format, clock, move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(log), test);
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_json_line_has_the_fields_of_event_and_span() {
        let text = written(Format::Json, || {
            let span = tracing::info_span!("request", request.id = "req_1", outcome = tracing::field::Empty);
            span.record("outcome", "met");
            span.in_scope(|| tracing::info!(duration_ms = 12, "answered"));
        });
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["time"], "2026-09-21T14:13:20.000Z");
        assert_eq!((&line["level"], &line["message"]), (&"info".into(), &"answered".into()));
        assert_eq!(line["request.id"], "req_1");
        assert_eq!(line["outcome"], "met");
        assert_eq!(line["duration_ms"], 12);
    }

    #[test]
    fn unlisted_fields_lose_their_value() {
        for format in [Format::Json, Format::Pretty] {
            let text = written(format, || {
                let span = tracing::info_span!("request", nonce = "CANARY");
                span.in_scope(
                    || tracing::info!(birth_date = ?"CANARY", income = 4242, token = "CANARY", "answered"),
                );
            });
            assert!(!text.contains("CANARY") && !text.contains("4242"), "{text}");
            assert_eq!(text.matches("[redacted]").count(), 4, "{text}");
        }
    }

    #[test]
    fn a_pretty_line_is_one_line() {
        let text = written(Format::Pretty, || tracing::warn!(reason = "a\nb\u{1b}[31m", "two\nlines"));
        assert_eq!(text.lines().count(), 1);
        assert_eq!(text, "2026-09-21T14:13:20Z WARN  two\\nlines reason=a\\nb\\u{1b}[31m\n");
    }
}
