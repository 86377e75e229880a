//! Reads back what the verifier counts and tells nobody: the reason of a refusal, and how many were checked together.

use std::sync::{Arc, Mutex, Once, PoisonError};

use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

const COUNTER: &str = "vouchsafe_answers_refused_total";

const BATCHES: &str = "vouchsafe_proof_batch_size";

static LAST: Mutex<String> = Mutex::new(String::new());

static SIZES: Mutex<Vec<f64>> = Mutex::new(Vec::new());

/// Listens to the counters of this process from now on.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| metrics::set_global_recorder(Last).unwrap());
}

/// The last reason since this was asked; empty when there was none.
pub(crate) fn take() -> String {
    std::mem::take(&mut *LAST.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The sizes of batches since this was asked.
pub(crate) fn sizes() -> Vec<f64> {
    std::mem::take(&mut *SIZES.lock().unwrap_or_else(PoisonError::into_inner))
}

struct Last;

struct Reason(String);

struct Sizes;

impl HistogramFn for Sizes {
    fn record(&self, value: f64) {
        SIZES.lock().unwrap_or_else(PoisonError::into_inner).push(value);
    }
}

impl CounterFn for Reason {
    fn increment(&self, _: u64) {
        LAST.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&self.0);
    }

    fn absolute(&self, _: u64) {}
}

impl Recorder for Last {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let reason = key.labels().find(|label| label.key() == "reason" && key.name() == COUNTER);
        reason
            .map_or_else(Counter::noop, |label| Counter::from_arc(Arc::new(Reason(label.value().to_owned()))))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        if key.name() == BATCHES { Histogram::from_arc(Arc::new(Sizes)) } else { Histogram::noop() }
    }
}
