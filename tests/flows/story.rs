//! The story of `vouchsafe demo`, from the first line to the last.

use serde_json::Value;
use vouchsafe::demo::narrate::Narrator;
use vouchsafe::demo::tell;

/// Every step with its outcome, in order: a contract that scripts rely on.
const STORY: [(&str, &str); 69] = [
    ("bus-pass/enrol", "ok"),
    ("bus-pass/receive", "ok"),
    ("bus-pass/entitled", "ok"),
    ("bus-pass/ask", "ok"),
    ("bus-pass/review", "ok"),
    ("bus-pass/answer", "met"),
    ("bus-pass/not-met/receive", "ok"),
    ("bus-pass/not-met/ask", "ok"),
    ("bus-pass/not-met/answer", "not_met"),
    ("bus-pass/declined/receive", "ok"),
    ("bus-pass/declined/ask", "ok"),
    ("bus-pass/declined/answer", "declined"),
    ("bus-pass/expired/ask", "ok"),
    ("bus-pass/expired/wait", "expired"),
    ("bus-pass/undetermined/receive", "ok"),
    ("bus-pass/undetermined/ask", "ok"),
    ("bus-pass/undetermined/answer", "undetermined"),
    ("parking/receive", "ok"),
    ("parking/ask", "ok"),
    ("parking/review", "ok"),
    ("parking/answer", "met"),
    ("parking/not-met/receive", "ok"),
    ("parking/not-met/ask", "ok"),
    ("parking/not-met/answer", "not_met"),
    ("leisure/receive", "ok"),
    ("leisure/ask", "ok"),
    ("leisure/answer", "met"),
    ("meals/enrol", "ok"),
    ("meals/receive", "ok"),
    ("meals/ask", "ok"),
    ("meals/review", "ok"),
    ("meals/answer", "met"),
    ("meals/declined/receive", "ok"),
    ("meals/declined/ask", "ok"),
    ("meals/declined/answer", "declined"),
    ("household/enrol", "ok"),
    ("household/receive", "ok"),
    ("household/partner/receive", "ok"),
    ("household/ask", "ok"),
    ("household/join", "ok"),
    ("household/contribute", "ok"),
    ("household/prove", "ok"),
    ("household/agree", "ok"),
    ("household/answer", "met"),
    ("hardship/receive", "ok"),
    ("hardship/ask", "ok"),
    ("hardship/altered", "signature"),
    ("hardship/review", "ok"),
    ("hardship/authorise", "met"),
    ("hardship/replay", "400"),
    ("hardship/pay", "exhausted"),
    ("reminder/receive", "ok"),
    ("reminder/review", "ok"),
    ("reminder/agree", "in_force"),
    ("reminder/withdraw", "withdrawn"),
    ("reminder/webhook", "permission.withdrawn"),
    ("reminder/check", "withdrawn"),
    ("reminder/log", "ok"),
    ("hardship/nothing-kept", "ok"),
    ("clearance/enrol", "ok"),
    ("clearance/receive", "ok"),
    ("clearance/answer", "met"),
    ("leisure/volunteer/answer", "met"),
    ("clearance/suspend", "ok"),
    ("clearance/publish", "ok"),
    ("clearance/holder", "ok"),
    ("clearance/suspended/answer", "not_met"),
    ("clearance/host-down", "ok"),
    ("clearance/unknown/answer", "undetermined"),
];

async fn told(json: bool) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut out = Vec::new();
    tell(dir.path(), Narrator::new(&mut out, json)).await.unwrap();
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn the_demo_tells_every_outcome_and_ends_well() {
    let text = told(true).await;
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, steps) = lines.split_last().unwrap();
    let steps: Vec<_> = steps
        .iter()
        .map(|line| (line["step"].as_str().unwrap(), line["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(steps, STORY);
    assert_eq!(*last, serde_json::json!({"demo": "ok", "steps": STORY.len()}));
}

#[tokio::test]
async fn told_in_sentences_it_shows_what_the_wallet_says_and_no_value_of_a_resident() {
    let text = told(false).await;
    let last = format!("The demo is complete: {} steps, everything as it should be.\n", STORY.len());
    assert!(text.ends_with(&last), "{text}");
    for value in ["1958-03-14", "14 March 1958", "Canary Street", "LD-0073", "580.87", "852.17", "1,433.04"] {
        assert!(!text.contains(value), "{value} was told:\n{text}");
    }
}
