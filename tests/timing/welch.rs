//! Welch's t for two sets of times, whole and with the slowest cut off.

/// What is cut: times above this share of all, of both classes together. Interruptions are slow and know no class.
const KEPT: [f64; 6] = [1.0, 0.99, 0.95, 0.9, 0.75, 0.5];

/// The times of calls with the fixed value and of those with random ones.
#[derive(Default)]
pub(crate) struct Classes {
    fixed: Vec<f64>,
    random: Vec<f64>,
}

impl Classes {
    pub(crate) fn add(&mut self, is_fixed: bool, time: f64) {
        if is_fixed { &mut self.fixed } else { &mut self.random }.push(time);
    }

    /// The greatest |t| over all cuts.
    pub(crate) fn worst(&self) -> f64 {
        let mut all: Vec<f64> = self.fixed.iter().chain(&self.random).copied().collect();
        all.sort_by(f64::total_cmp);
        KEPT.iter().map(|kept| self.t_below(cut(&all, *kept)).abs()).fold(0.0, f64::max)
    }

    fn t_below(&self, cut: f64) -> f64 {
        let kept = |times: &[f64]| Moments::of(times.iter().copied().filter(|time| *time <= cut));
        let (fixed, random) = (kept(&self.fixed), kept(&self.random));
        let error = (fixed.variance / fixed.count + random.variance / random.count).sqrt();
        if error > 0.0 { (fixed.mean - random.mean) / error } else { 0.0 }
    }
}

/// The largest of the first `kept` of the sorted times.
fn cut(sorted: &[f64], kept: f64) -> f64 {
    let last = (sorted.len() as f64 * kept) as usize;
    sorted.get(last.saturating_sub(1)).copied().unwrap_or(f64::MAX)
}

struct Moments {
    count: f64,
    mean: f64,
    variance: f64,
}

impl Moments {
    /// In one pass (Welford, 1962).
    fn of(times: impl Iterator<Item = f64>) -> Self {
        let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
        for time in times {
            count += 1.0;
            let apart = time - mean;
            mean += apart / count;
            squares += apart * (time - mean);
        }
        Self { count, mean, variance: if count > 1.0 { squares / (count - 1.0) } else { 0.0 } }
    }
}
