//! Makes one proof. A build for the browser exports `main`, which its host may call as often as it likes.

fn main() {
    // Whatever is not an answer of that length traps.
    assert_eq!(std::hint::black_box(vouchsafe_browser::Question::default().prove()).len(), 614);
}
