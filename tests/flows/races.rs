//! Many at once: whatever arrives in parallel, a request is answered once, decided once and told once.
//!
//! Over real connections, on several threads.

use std::time::Duration;

use futures_of::all;
use vouchsafe::demo::browser::Browser;
use vouchsafe_service::client::Reply;

use crate::house::{Exchange, HONEST, House, ONCE, Question, post};

const AT_ONCE: usize = 50;

async fn one_answer_posted_fifty_times_at_once_counts_once(house: House) {
    let resident = house.resident(HONEST).await;
    let question = house.ask().await;
    let answer = house.answer(&resident, &question).await;
    let replies = at_once(&house, vec![answer.clone(); AT_ONCE]).await;
    let back = the_one_accepted(&house, &answer, replies).await;
    is_decided_once_by(&house, question, &back).await;
    // Later is no better than at the same time.
    let late = house.post(&answer).await;
    assert_eq!((late.status, code_of(&late)), (400, None));
}

async fn of_fifty_answers_of_one_resident_at_once_one_counts(house: House) {
    let resident = house.resident(HONEST).await;
    house.collect(&resident, HONEST).await;
    let question = house.ask().await;
    let mut answers = Vec::new();
    for _ in 0..AT_ONCE {
        answers.push(house.answer(&resident, &question).await);
    }
    let replies = at_once(&house, answers.clone()).await;
    let back = the_one_accepted(&house, &answers[0], replies).await;
    is_decided_once_by(&house, question, &back).await;
}

async fn fifty_tabs_that_come_back_at_once_decide_once(house: House) {
    let resident = house.resident(HONEST).await;
    let question = house.ask().await;
    let back = resident.share(&question.link).await.unwrap();
    let tabs = (0..AT_ONCE).map(|_| {
        let (mut tab, back) = (question.browser.clone(), back.clone());
        tokio::spawn(async move { seen(&mut tab, &back).await })
    });
    let statuses = all(tabs.collect()).await;
    assert_eq!(statuses, [200; AT_ONCE], "every tab of the right browser sees how it stands");
    assert_eq!(house.ends(&question).await, ONCE);
    assert_eq!(house.outcome(&question).await.as_deref(), Some("met"));
}

/// What a tab sees, which tries again for as long as the service is busy.
async fn seen(tab: &mut Browser, back: &str) -> u16 {
    for _ in 0..500 {
        let status = tab.visit(back).await.unwrap().status;
        if status != 503 {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    503
}

async fn at_once(house: &House, answers: Vec<Exchange>) -> Vec<Reply> {
    let http = house.http();
    let posts = answers.into_iter().map(|answer| {
        let http = http.clone();
        tokio::spawn(async move { post(&http, &answer).await })
    });
    all(posts.collect()).await
}

/// The way back that one of `replies` gives and no other; all others are refused as used or told to come back. Should a
/// machine under load have told them all to come back, the sender of `again` does.
async fn the_one_accepted(house: &House, again: &Exchange, mut replies: Vec<Reply>) -> String {
    if replies.iter().all(|reply| reply.status == 503) {
        replies.push(house.settled(again).await);
    }
    let (accepted, others): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
    assert_eq!(accepted.len(), 1, "{:?}", statuses(&replies));
    for other in others {
        assert!(matches!(other.status, 400 | 503), "{:?}", statuses(&replies));
        assert_eq!(code_of(other), None, "only the accepted answer learns the code");
    }
    code_of(accepted[0]).unwrap()
}

fn statuses(replies: &[Reply]) -> Vec<u16> {
    replies.iter().map(|reply| reply.status).collect()
}

/// The redirect with the response code, wherever a reply might carry it.
fn code_of(reply: &Reply) -> Option<String> {
    let text = String::from_utf8_lossy(&reply.body);
    if !text.contains("response_code") && !text.contains("redirect_uri") {
        return None;
    }
    let body: serde_json::Value = serde_json::from_str(&text).unwrap();
    Some(body["redirect_uri"].as_str().unwrap().to_owned())
}

async fn is_decided_once_by(house: &House, mut question: Question, back: &str) {
    assert_eq!(house.outcome(&question).await, None, "nothing is decided before the browser is back");
    question.browser.open(back).await.unwrap();
    assert_eq!(house.outcome(&question).await.as_deref(), Some("met"));
    assert_eq!(house.ends(&question).await, ONCE);
}

/// The results of tasks that run at the same time.
mod futures_of {
    use tokio::task::JoinHandle;

    pub(super) async fn all<T>(tasks: Vec<JoinHandle<T>>) -> Vec<T> {
        let mut results = Vec::with_capacity(tasks.len());
        for task in tasks {
            results.push(task.await.unwrap());
        }
        results
    }
}

on_every_store! {
    (flavor = "multi_thread", worker_threads = 4)
    one_answer_posted_fifty_times_at_once_counts_once
    of_fifty_answers_of_one_resident_at_once_one_counts
    fifty_tabs_that_come_back_at_once_decide_once
}
